"""Deleting a task: only after the user has confirmed it."""

import json
from itertools import cycle
from typing import Any, Literal

import httpx2
import pytest
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult

from todo_kit.testing import TokenIssuer

from .calls import called, refusal
from .conftest import AUDIENCES, MemoryServer, ToolServer


class User:
    """Answers each question in the same way, and keeps what was asked."""

    def __init__(self, action: Literal["accept", "decline", "cancel"], *, ticked: bool = True) -> None:
        """Answers with `action`; `ticked` is the one field of the form."""
        self.asked: list[str] = []
        content = {"delete": ticked} if action == "accept" else None
        self._answer = ElicitResult(action=action, content=content)

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        """Answers a question."""
        assert isinstance(params, ElicitRequestFormParams)
        self.asked.append(params.message)
        return self._answer


async def titles(agent: Client) -> list[str]:
    """Returns the titles of all tasks."""
    return [task["title"] for task in (await called(agent, "list_tasks"))["items"]]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_user_is_asked_by_a_form(memory_server: MemoryServer, mode: str) -> None:
    """The question names the task; it is deleted when the user agrees, and the model passes no code."""
    user = User("accept")
    async with memory_server.agent_of("ann", mode, user) as agent:
        task = await called(agent, "add_task", title='Milk "2"')
        deleted = await called(agent, "delete_task", task_id=task["id"])
        assert (deleted["status"], deleted["task"], deleted["confirmation"]) == ("deleted", task, None)
        assert await titles(agent) == []
    assert user.asked == ['Delete the task "Milk \\"2\\""?']


@pytest.mark.parametrize("user", [User("accept", ticked=False), User("decline"), User("cancel")])
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_task_is_kept_when_the_user_does_not_agree(
    memory_server: MemoryServer, mode: str, user: User
) -> None:
    """Whatever the user answers instead of yes keeps the task, and yields no code with which to go on."""
    async with memory_server.agent_of("ann", mode, user) as agent:
        task = await called(agent, "add_task", title="Milk")
        kept = await called(agent, "delete_task", task_id=task["id"])
        assert (kept["status"], kept["confirmation"]) == ("kept", None)
        assert await titles(agent) == ["Milk"]


async def test_code_of_another_client_does_not_replace_the_question(memory_server: MemoryServer) -> None:
    """Where the user can be asked, the user is asked, even if the model has a valid code."""
    async with memory_server.agent_of("ann") as without_forms:
        task = await called(without_forms, "add_task", title="Milk")
        code = (await called(without_forms, "delete_task", task_id=task["id"]))["confirmation"]
    user = User("decline")
    async with memory_server.agent_of("ann", "auto", user) as agent:
        kept = await called(agent, "delete_task", task_id=task["id"], confirmation=code)
    assert (kept["status"], len(user.asked)) == ("kept", 1)


@pytest.mark.parametrize(("mode", "user"), [("auto", None), ("legacy", None), ("legacy", User("accept"))])
async def test_two_steps_where_nobody_can_be_asked(
    tool_server: ToolServer, second_replica: ToolServer, mode: str, user: User | None
) -> None:
    """The first call deletes nothing; the second deletes, also at another replica.

    An older protocol cannot carry a question without a session, so its clients take two steps as well.
    """
    async with tool_server.agent_of("ann", mode, user) as agent:
        task = await called(agent, "add_task", title="Milk")
        shown = await called(agent, "delete_task", task_id=task["id"])
        assert (shown["status"], shown["task"]) == ("confirmation_required", task)
        assert await titles(agent) == ["Milk"]
    async with second_replica.agent_of("ann", mode, user) as agent:
        done = await called(agent, "delete_task", task_id=task["id"], confirmation=shown["confirmation"])
        assert (done["status"], await titles(agent)) == ("deleted", [])
        said = await refusal(agent, "delete_task", task_id=task["id"], confirmation=shown["confirmation"])
    assert said.endswith(f"You have no task {task['id']}. It may have been deleted.")


async def test_code_is_refused_when_the_task_was_changed(memory_server: MemoryServer) -> None:
    """The user has agreed to delete another version, so nothing is deleted."""
    async with memory_server.agent_of("ann") as agent:
        task = await called(agent, "add_task", title="Milk")
        shown = await called(agent, "delete_task", task_id=task["id"])
        await called(agent, "update_task", task_id=task["id"], title="Important")
        said = await refusal(agent, "delete_task", task_id=task["id"], confirmation=shown["confirmation"])
        assert await titles(agent) == ["Important"]
    assert "the task was changed since" in said


class TakingTurns(httpx2.AsyncBaseTransport):
    """Sends each request to the next replica, and keeps which port got which method."""

    def __init__(self, *urls: str) -> None:
        """Takes the replicas' URLs."""
        self.calls: list[tuple[str, int]] = []
        self._ports = cycle(int(url.rpartition(":")[2]) for url in urls)
        self._inner = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends the request."""
        port = next(self._ports)
        body: dict[str, Any] = json.loads(request.content or b"{}")
        self.calls.append((body.get("method", ""), port))
        request.url = request.url.copy_with(port=port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._inner.aclose()


async def test_answer_may_reach_another_replica_than_the_question(
    tool_server: ToolServer, second_replica: ToolServer, issuer: TokenIssuer
) -> None:
    """What is asked is sealed with a key that all replicas have."""
    user = User("accept")
    turns = TakingTurns(tool_server.url, second_replica.url)
    headers = {"Authorization": f"Bearer {issuer.token('ann', audience=AUDIENCES)}"}
    async with (
        httpx2.AsyncClient(headers=headers, transport=turns) as http_client,
        Client(
            streamable_http_client(f"{tool_server.url}/mcp", http_client=http_client),
            elicitation_callback=user,
        ) as agent,
    ):
        task = await called(agent, "add_task", title="Milk")
        deleted = await called(agent, "delete_task", task_id=task["id"])
    (first, port), (second, other_port) = turns.calls[-2:]
    assert (deleted["status"], first, second, port != other_port) == (
        "deleted",
        "tools/call",
        "tools/call",
        True,
    )
    assert len(user.asked) == 1


@pytest.mark.parametrize(
    ("capabilities", "status"),
    [
        ({}, "confirmation_required"),
        ({"elicitation": {"url": {}}}, "confirmation_required"),
        ({"elicitation": {}}, "input_required"),
        ({"elicitation": {"form": {}}}, "input_required"),
    ],
)
async def test_form_is_only_sent_to_a_client_that_shows_forms(
    tool_server: ToolServer, issuer: TokenIssuer, capabilities: dict[str, Any], status: str
) -> None:
    """A client that can only open pages takes two steps; one that names no kind of question shows forms."""
    async with tool_server.agent_of("ann") as agent:
        task = await called(agent, "add_task", title="Milk")
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    }
    params = {"name": "delete_task", "arguments": {"task_id": task["id"]}, "_meta": meta}
    headers = {
        "Authorization": f"Bearer {issuer.token('ann', audience=AUDIENCES)}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "delete_task",
    }
    async with tool_server.http(**headers) as client:
        answer = await client.post(
            "/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        )
    result = answer.json()["result"]
    assert result.get("structuredContent", {"status": result["resultType"]})["status"] == status
