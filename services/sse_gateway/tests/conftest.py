"""Fixtures: a gateway on a real port, an HTTP client that reads its streams, and the bus in memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from fastapi import FastAPI

from todo_kit.testing import APP_API_TOKEN, DAPR_API_TOKEN, MemoryPublisher, TokenIssuer, serving
from todo_sse_gateway.app import create_app
from todo_sse_gateway.limits import Limits
from todo_sse_gateway.settings import Settings

READ_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class StreamEvent:
    """An event of an event stream."""

    name: str
    event_id: str | None
    data: dict[str, object]
    retry: str | None

    @property
    def mark(self) -> object:
        """The CloudEvent id of an event of `Gateway.change_task`."""
        return self.data["mark"]


class Reader:
    """Reads a response as a browser reads an event stream."""

    def __init__(self, response: httpx2.Response) -> None:
        """Reads from a response whose headers have been received."""
        self.response = response
        self._lines = response.aiter_lines()

    async def block(self) -> list[str]:
        """Returns the lines up to the next empty line; an empty list at the end of the stream."""
        lines: list[str] = []
        async with asyncio.timeout(READ_TIMEOUT_SECONDS):
            async for line in self._lines:
                if not line:
                    return lines
                lines.append(line)
        return lines

    async def event(self) -> StreamEvent:
        """Returns the next event, without comments; raises EOFError at the end of the stream."""
        while block := await self.block():
            fields = dict(line.split(": ", 1) for line in block if not line.startswith(":"))
            if "event" in fields:
                return StreamEvent(
                    fields["event"], fields.get("id"), json.loads(fields["data"]), fields.get("retry")
                )
        raise EOFError("the stream ended")

    async def ends(self) -> None:
        """Reads to the end; fails if there is another event or the response is incomplete."""
        with pytest.raises(EOFError):
            await self.event()


class Gateway:
    """A running gateway, with the bus that delivers to it and the issuer of its tokens."""

    def __init__(self, app: FastAPI, url: str, issuer: TokenIssuer) -> None:
        """Uses `app`, which listens at `url`."""
        self.app = app
        self.url = url
        self.issuer = issuer
        self.bus = MemoryPublisher(app)

    async def change_task(self, user_id: str, event_id: str, **members: object) -> None:
        """Delivers the event of a changed task, as daprd does; its member `mark` is the event id."""
        payload = {"event_type": "task.updated", "user_id": user_id, "mark": event_id, **members}
        await self.deliver("task-events", payload, event_id)

    async def deliver(self, topic: str, payload: dict[str, object], event_id: str) -> None:
        """Delivers any payload on a topic."""
        data = json.dumps(payload).encode()
        event_type = str(payload["event_type"])
        await self.bus.publish(topic, data, event_id=event_id, event_type=event_type, key="key")

    @asynccontextmanager
    async def stream(self, user_id: str, last_event_id: str | None = None) -> AsyncIterator[Reader]:
        """Opens a stream of the user and reads its opening."""
        headers = {"Authorization": f"Bearer {self.issuer.token(user_id)}"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        async with self.request(headers) as response:
            assert response.status_code == 200
            reader = Reader(response)
            opening = await reader.block()
            assert opening[1:] == [": connected"]
            yield reader

    @asynccontextmanager
    async def request(self, headers: dict[str, str]) -> AsyncIterator[httpx2.Response]:
        """Requests a stream and yields the response."""
        async with (
            httpx2.AsyncClient(base_url=self.url, timeout=READ_TIMEOUT_SECONDS) as client,
            client.stream("GET", "/sse/tasks", headers=headers) as response,
        ):
            yield response

    async def metric(self, name: str) -> float:
        """Returns a sample of `/metrics` by its name and labels."""
        async with httpx2.AsyncClient(base_url=self.url) as client:
            lines = (await client.get("/metrics")).text.splitlines()
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name} ")), 0.0)


class WallClock:
    """The wall clock, which a test can set ahead."""

    def __init__(self) -> None:
        """Starts with the real time."""
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Returns the real time plus `ahead`."""
        return datetime.now(UTC) + self.ahead


@pytest.fixture(scope="session")
def issuer() -> Iterator[TokenIssuer]:
    """Runs the issuer of all tokens."""
    with TokenIssuer() as running:
        yield running


@pytest.fixture
def wall_clock() -> WallClock:
    """Returns a clock that shows the real time until it is set ahead."""
    return WallClock()


@pytest.fixture
def limits() -> Limits:
    """Returns the limits of `gateway`; tests override them by a parameter."""
    return Limits()


@pytest.fixture
async def gateway(issuer: TokenIssuer, limits: Limits, wall_clock: WallClock) -> AsyncIterator[Gateway]:
    """Runs a gateway; when the test ends, it is drained and stopped."""
    settings = Settings(
        jwt_issuer=issuer.issuer,
        jwks_url=issuer.jwks_url,
        app_api_token=APP_API_TOKEN,
        dapr_api_token=DAPR_API_TOKEN,
        log_level="warning",
        drain_seconds=1,
    )
    app = create_app(settings, publisher=MemoryPublisher(), limits=limits, now=wall_clock)
    async with serving(app) as url:
        yield Gateway(app, url, issuer)
        app.state.drain.start()
