"""The application as the load sees it, in memory: tasks of one user, streams that resume, and faults."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2


@dataclass
class LoadDouble:
    """Stands in for an Origin: its clients are answered here."""

    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)  # "METHOD path" -> how often it answers 502
    limited: int = 0  # how many sign-ups are answered with 429 first
    lost: set[int] = field(default_factory=set)  # numbers of events that reach no stream
    resumed: list[str | None] = field(default_factory=list)  # Last-Event-ID of each stream
    url: str = "http://app.test"

    def __post_init__(self) -> None:
        """Prepares the signals of the streams."""
        self._changed = asyncio.Event()
        self._generation = 0

    def async_client(self) -> httpx2.AsyncClient:
        """Returns a client whose requests are answered here."""
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer), base_url=self.url)

    def end_streams(self) -> None:
        """Ends all open streams with `bye`."""
        self._generation += 1
        self._notify()

    async def has_changed(self, times: int) -> None:
        """Returns when tasks have been changed so often."""
        while len(self.events) < times:
            await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        key = f"{request.method} {request.url.path}"
        if self.limited and key == "POST /api/auth/sign-up/email":
            self.limited -= 1
            return httpx2.Response(429, headers={"X-Retry-After": "0"})
        if self.refused.get(key, 0):
            self.refused[key] -= 1
            return httpx2.Response(502, text="Bad Gateway")
        return self._usual_answer(request)

    def _usual_answer(self, request: httpx2.Request) -> httpx2.Response:
        match request.method, request.url.path.split("/")[1:]:
            case "GET", ["sse", "tasks"]:
                return httpx2.Response(200, content=self._stream(request.headers.get("last-event-id")))
            case "POST", ["mcp"]:
                return self._tool(json.loads(request.content)["params"])
            case "POST", ["api", "notifications", "read-all"]:
                return httpx2.Response(204)
            case "GET", ["sign-in"]:
                return httpx2.Response(307)
            case method, ["api", "todos", *rest]:
                return self._todos(method, rest, json.loads(request.content or b"{}"))
        return httpx2.Response(200, json={"items": [], "token": "t"})

    def _tool(self, params: dict[str, Any]) -> httpx2.Response:
        if params["name"] == "add_task":
            content = self._save(str(len(self.events)), params["arguments"])
        elif params["name"] == "complete_task":
            content = self._save(params["arguments"]["task_id"], {"completed": True})
        else:
            content = {"items": list(self.tasks.values())}
        return httpx2.Response(200, json={"result": {"structuredContent": content, "isError": False}})

    def _todos(self, method: str, rest: list[str], body: dict[str, Any]) -> httpx2.Response:
        match method, rest:
            case "POST", []:
                return httpx2.Response(201, json=self._save(str(len(self.events)), body))
            case "GET", []:
                return httpx2.Response(200, json={"items": list(self.tasks.values()), "next_cursor": None})
            case "DELETE", [task_id]:
                del self.tasks[task_id]
                self._publish(task_id, None)
                return httpx2.Response(204)
            case "GET", [task_id]:
                return httpx2.Response(200, json=self.tasks[task_id])
        return httpx2.Response(200, json=self._save(rest[0], body))

    def _save(self, task_id: str, values: dict[str, Any]) -> dict[str, Any]:
        known = self.tasks.get(task_id, {"completed": False, "priority": "medium", "version": 0})
        task = known | values | {"id": task_id, "version": known["version"] + 1}
        self.tasks[task_id] = task
        self._publish(task_id, task)
        return task

    def _publish(self, task_id: str, task: dict[str, Any] | None) -> None:
        self.events.append({"task_id": task_id, "task": task, "sequence": len(self.events) + 1})
        self._notify()

    async def _stream(self, last_event_id: str | None) -> AsyncIterator[bytes]:
        self.resumed.append(last_event_id)
        generation = self._generation
        sent = len(self.events) if last_event_id is None else int(last_event_id)
        yield b"retry: 1\n\n: connected\n\n"
        if last_event_id is None:
            yield f"event: sync.ready\nid: {sent}\ndata: {{}}\n\n".encode()
        while generation == self._generation:
            changed = self._changed
            for event in self.events[sent:]:
                if event["sequence"] not in self.lost:
                    data = json.dumps(event)
                    yield f"id: {event['sequence']}\nevent: sync.task-changed\ndata: {data}\n\n".encode()
            sent = len(self.events)
            await changed.wait()
        yield b"event: bye\ndata: {}\nretry: 1\n\n"
