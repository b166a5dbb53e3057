"""What a user under load does: one lane of reads and one of writes, each a sequence of requests in turn."""

import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

from todo_synthetic_user import mcp
from todo_synthetic_user.load.account import Account

TASKS_KEPT = 20


async def reads(account: Account) -> AsyncIterator[None]:
    """Reads from every service, one request a step, for ever."""
    while True:
        await account.request("GET", "/sign-in", 307)  # to the tasks, for who is signed in
        yield
        for path in ("/", "/api/health", "/api/todos", "/.well-known/oauth-protected-resource/mcp"):
            await account.request("GET", path)
            yield
        for path in ("/api/notifications", "/api/notifications/unread-count"):
            await account.request("GET", path)
            yield
        await _call_tool(account, "list_tasks")
        yield
        await account.renew_token()
        yield
        for path in ("/api/auth/get-session", "/api/auth/jwks"):
            await account.request("GET", path)
            yield


async def writes(account: Account) -> AsyncIterator[None]:
    """Changes tasks over HTTP and MCP, one request a step, for ever; a few dozen tasks stay."""
    ids: list[str] = []
    for number in itertools.count(1):
        created = await account.request("POST", "/api/todos", 201, json={"title": f"Task {number}"})
        yield
        if created is not None:
            ids.append(str(created.json()["id"]))
            async for _ in _edit(account, ids[-1], number):
                yield
        added = await _call_tool(account, "add_task", title=f"Task {number} of an agent")
        yield
        if added is not None:
            ids.append(str(added["id"]))
            await _call_tool(account, "complete_task", task_id=ids[-1])
            yield
        await account.request("POST", "/api/notifications/read-all", 204)
        yield
        while len(ids) > TASKS_KEPT:
            path = f"/api/todos/{ids.pop(0)}"
            await account.request("DELETE", path, 204, route="DELETE /api/todos/{id}")
            yield


async def _edit(account: Account, task_id: str, number: int) -> AsyncIterator[None]:
    path, route = f"/api/todos/{task_id}", "/api/todos/{id}"
    await account.request("GET", path, route=f"GET {route}")
    yield
    await account.request("PATCH", path, json={"priority": "high"}, route=f"PATCH {route}")
    yield
    await account.request("PUT", path, json={"title": f"Task {number}, edited"}, route=f"PUT {route}")
    yield
    await account.request("PATCH", f"{path}/complete", route=f"PATCH {route}/complete")
    yield


async def _call_tool(account: Account, name: str, **arguments: object) -> dict[str, Any] | None:
    """Calls a tool and returns its structured answer; a tool's own error counts as a failure."""
    response = await account.request(
        "POST", "/mcp", route=f"POST /mcp {name}", **mcp.tool_call(name, **arguments)
    )
    if response is None:
        return None
    if mcp.is_error(response.text):
        account.fail(f"POST /mcp {name}", response.text)
        return None
    text = response.text
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        text = next(line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: "))
    return dict(json.loads(text)["result"]["structuredContent"])
