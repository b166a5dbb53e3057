"""A gateway on a real port, a real HTTP client that reads its streams, and the bus as daprd drives it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from todo_kit.testing import MemoryPublisher, TokenIssuer, wait_until
from todo_sse_gateway.app import create_app
from todo_sse_gateway.limits import Limits
from todo_sse_gateway.settings import Settings

READ_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Event:
    """One block of an event stream."""

    name: str
    event_id: str | None
    data: object
    retry: str | None


class Reader:
    """Reads one response as a browser reads an event stream."""

    def __init__(self, response: httpx2.Response) -> None:
        """Read from a response whose headers have come."""
        self.response = response
        self._lines = response.aiter_lines()

    async def block(self) -> list[str]:
        """Return the lines up to the next empty one; an empty list at the end of the stream."""
        lines: list[str] = []
        async with asyncio.timeout(READ_TIMEOUT_SECONDS):
            async for line in self._lines:
                if not line:
                    return lines
                lines.append(line)
        return lines

    async def event(self) -> Event:
        """Return the next event, passing over comments. Raises EOFError at the end of the stream."""
        while block := await self.block():
            fields = dict(line.split(": ", 1) for line in block if not line.startswith(":"))
            if "event" in fields:
                return Event(
                    fields["event"], fields.get("id"), json.loads(fields["data"]), fields.get("retry")
                )
        raise EOFError("the stream ended")

    async def ends(self) -> None:
        """Read to the end; fails if an event comes or the response is cut instead of completed."""
        with pytest.raises(EOFError):
            await self.event()


class Gateway:
    """A gateway that listens, with the bus that feeds it and the issuer whose tokens it takes."""

    def __init__(self, app: FastAPI, url: str, issuer: TokenIssuer) -> None:
        """Talk to `app`, which listens at `url`."""
        self.app = app
        self.url = url
        self.issuer = issuer
        self.bus = MemoryPublisher(app)

    async def change_task(self, user_id: str, event_id: str, **members: object) -> None:
        """Deliver the event of a changed task, as daprd does."""
        payload = {"event_type": "task.updated", "user_id": user_id, **members}
        await self.deliver("task-events", payload, event_id)

    async def deliver(self, topic: str, payload: dict[str, object], event_id: str) -> None:
        """Deliver any payload on a topic."""
        data = json.dumps(payload).encode()
        event_type = str(payload["event_type"])
        await self.bus.publish(topic, data, event_id=event_id, event_type=event_type, key="key")

    @asynccontextmanager
    async def stream(self, user_id: str, last_event_id: str | None = None) -> AsyncIterator[Reader]:
        """Open a stream of the user and pass over its opening."""
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
        """Ask for a stream and give what is answered."""
        async with (
            httpx2.AsyncClient(base_url=self.url, timeout=READ_TIMEOUT_SECONDS) as client,
            client.stream("GET", "/sse/tasks", headers=headers) as response,
        ):
            yield response

    async def metric(self, name: str) -> float:
        """Return a sample of `/metrics` by its name and labels."""
        async with httpx2.AsyncClient(base_url=self.url) as client:
            lines = (await client.get("/metrics")).text.splitlines()
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name} ")), 0.0)


class WallClock:
    """The wall clock, with hands that a test may move on."""

    def __init__(self) -> None:
        """Show the right time."""
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Return the time shown."""
        return datetime.now(UTC) + self.ahead


@pytest.fixture(scope="session")
def issuer() -> Iterator[TokenIssuer]:
    """An issuer of tokens whose keys are served."""
    with TokenIssuer() as running:
        yield running


@pytest.fixture
def wall_clock() -> WallClock:
    """A clock that shows the right time until it is moved."""
    return WallClock()


@pytest.fixture
def limits() -> Limits:
    """The limits of `gateway`; tests override this fixture by parametrising it."""
    return Limits()


@pytest.fixture
async def gateway(issuer: TokenIssuer, limits: Limits, wall_clock: WallClock) -> AsyncIterator[Gateway]:
    """A running gateway; when the test ends it is drained and stopped."""
    settings = Settings(
        jwt_issuer=issuer.issuer, jwks_url=issuer.jwks_url, log_level="warning", drain_seconds=1
    )
    app = create_app(settings, limits=limits, now=wall_clock)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5))
        serving = asyncio.create_task(server.serve([listening]))
        await wait_until(lambda: server.started)
        yield Gateway(app, f"http://127.0.0.1:{listening.getsockname()[1]}", issuer)
        app.state.drain.start()
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await serving
