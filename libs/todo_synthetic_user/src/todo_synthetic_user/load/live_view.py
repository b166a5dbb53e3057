"""A browser tab: the tasks of a user, kept current by the event stream, which is resumed whenever it ends."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

from todo_synthetic_user.load.account import Account
from todo_synthetic_user.origin import Origin
from todo_synthetic_user.person import UnexpectedAnswerError, shortened

SILENCE_SECONDS = 40.0  # the gateway sends a heartbeat every 15 s
ROUTE = "GET /sse/tasks"
SHOWN = ("title", "completed", "priority", "version")

Tasks = dict[str, dict[str, Any]]


@dataclass
class StreamCounts:
    """What happened to one stream."""

    opened: int = 0
    cut: int = 0  # ended without `bye`
    resets: int = 0  # began with "read everything again"
    events: int = 0
    repeated: int = 0
    lost: int = 0  # gaps in the numbers of the events


@dataclass
class _Message:
    name: str = "message"
    event_id: str | None = None
    data: list[str] = field(default_factory=list)


def shown(tasks: Tasks) -> dict[str, tuple[Any, ...]]:
    """Returns what a user sees of tasks, and their versions."""
    return {key: tuple(task[name] for name in SHOWN) for key, task in tasks.items()}


class LiveView:
    """Follows the stream of a user; `tasks` is what the tab shows."""

    def __init__(self, origin: Origin, account: Account) -> None:
        """Uses a client of its own, as a tab has a connection of its own."""
        self.counts = StreamCounts()
        self.tasks: Tasks = {}
        self.has_opened = asyncio.Event()
        self._account = account
        self._client = origin.async_client()
        self._position: str | None = None
        self._retry_seconds = 1.0
        self._numbers: dict[str, set[int]] = {}

    async def follow(self) -> None:
        """Follows the stream until cancelled."""
        try:
            while True:
                await self._follow_once()
                await asyncio.sleep(self._retry_seconds)
        finally:
            await self._client.aclose()

    def count_lost(self) -> None:
        """Adds the gaps in the numbers seen since the beginning or the last reset."""
        for numbers in filter(None, self._numbers.values()):
            self.counts.lost += max(numbers) - min(numbers) + 1 - len(numbers)
        self._numbers = {}

    async def _follow_once(self) -> None:
        headers = {"Authorization": f"Bearer {self._account.token}", "Accept": "text/event-stream"}
        if self._position is not None:
            headers["Last-Event-ID"] = self._position
        timeout = httpx2.Timeout(10.0, read=SILENCE_SECONDS)
        began_at = time.monotonic()
        is_open = has_bye = False
        try:
            async with self._client.stream("GET", "/sse/tasks", headers=headers, timeout=timeout) as response:
                if response.status_code != 200:
                    await response.aread()
                    seen = f"{response.status_code} instead of 200: {shortened(response.text)}"
                    self._account.counts.count(ROUTE, began_at, seen)
                    return
                self._account.counts.count(ROUTE, began_at)
                self.counts.opened += 1
                is_open = True
                self.has_opened.set()
                async for message in self._messages(response):
                    has_bye = has_bye or message.name == "bye"
                    await self._apply(message)
        except (httpx2.HTTPError, UnexpectedAnswerError) as error:
            if not is_open:
                self._account.counts.count(ROUTE, began_at, f"{type(error).__name__} {error}".rstrip())
        if is_open and not has_bye:
            self.counts.cut += 1

    async def _messages(self, response: httpx2.Response) -> AsyncIterator[_Message]:
        message = _Message()
        async for line in response.aiter_lines():
            key, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                if message.data:
                    yield message
                message = _Message()
            elif key == "event":
                message.name = value
            elif key == "id":
                message.event_id = value
            elif key == "data":
                message.data.append(value)
            elif key == "retry":
                self._retry_seconds = int(value) / 1000

    async def _apply(self, message: _Message) -> None:
        data = json.loads("\n".join(message.data))
        match message.name:
            case "sync.ready":
                await self._read_everything()
            case "sync.reset":
                self.counts.resets += 1
                self.count_lost()
                await self._read_everything()
            case "sync.task-changed":
                if self._is_new("tasks", data):
                    self._change(data["task_id"], data["task"])
            case "notification":
                self._is_new("notifications", data)
        if message.event_id is not None:
            self._position = message.event_id

    def _is_new(self, topic: str, data: dict[str, Any]) -> bool:
        self.counts.events += 1
        number = data.get("sequence")  # versions before it was introduced, and some events, have none
        numbers = self._numbers.setdefault(topic, set())
        if number in numbers:
            self.counts.repeated += 1
            return False
        if number is not None:
            numbers.add(number)
        return True

    def _change(self, task_id: str, task: dict[str, Any] | None) -> None:
        if task is None:
            self.tasks.pop(task_id, None)
            return
        known = self.tasks.get(task_id)
        if known is None or known["version"] <= task["version"]:
            self.tasks[task_id] = task

    async def _read_everything(self) -> None:
        self.tasks = await self._account.tasks()
