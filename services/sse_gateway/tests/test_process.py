"""The gateway as a process: started as in its image, stopped as Kubernetes stops it."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI, Request

from todo_embedded.ports import free_port
from todo_kit.sidecar_token import HEADER
from todo_kit.testing import APP_API_TOKEN, DAPR_API_TOKEN, TokenIssuer, serving

from .conftest import Reader

DRAIN_SECONDS = 4
DELAY_SECONDS = 4


@asynccontextmanager
async def sidecar(app_port: int) -> AsyncIterator[str]:
    """Runs a sidecar that delivers what is published to the application, and yields its port."""
    double = FastAPI()
    app = httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{app_port}", headers={HEADER: APP_API_TOKEN.get_secret_value()}
    )

    @double.post("/v1.0/publish/pubsub-broadcast/{topic}", status_code=204)
    async def publish(topic: str, request: Request) -> None:
        assert request.headers[HEADER] == DAPR_API_TOKEN.get_secret_value()
        with suppress(httpx2.TransportError):  # the application has not started yet, or is stopping
            await app.post(f"/events/{topic}", json=await request.json() | {"topic": topic})

    async with app, serving(double) as url:
        yield url.rsplit(":", 1)[1]


@pytest.fixture
async def sidecar_port() -> AsyncIterator[tuple[int, str]]:
    """Returns a port for the application and that of its sidecar."""
    port = free_port()
    async with sidecar(port) as its_port:
        yield port, its_port


class Log:
    """The file that the process writes its log to."""

    def __init__(self, path: Path) -> None:
        """Opens an empty file."""
        self.path = path
        self.file = path.open("wb")

    def read(self) -> bytes:
        """Returns what was written."""
        return self.path.read_bytes()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Returns the log of the process."""
    log = Log(tmp_path / "log")
    with log.file:
        yield log


@pytest.fixture
async def process(
    issuer: TokenIssuer, sidecar_port: tuple[int, str], log: Log
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Runs a gateway in its own process and yields it with its URL when it is ready."""
    port, port_of_sidecar = sidecar_port
    environment = os.environ | {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "JWT_ISSUER": issuer.issuer,
        "JWKS_URL": issuer.jwks_url,
        "APP_API_TOKEN": APP_API_TOKEN.get_secret_value(),
        "DAPR_API_TOKEN": DAPR_API_TOKEN.get_secret_value(),
        "DAPR_HTTP_PORT": port_of_sidecar,
        "DRAIN_SECONDS": str(DRAIN_SECONDS),
        "SHUTDOWN_DELAY_SECONDS": str(DELAY_SECONDS),
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "todo_sse_gateway", env=environment, stdout=log.file
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await until_ready(url)
        yield started, url
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def until_ready(url: str) -> None:
    """Returns when the service at `url` is ready; raises TimeoutError after 60 s."""
    async with asyncio.timeout(60), httpx2.AsyncClient(base_url=url) as client:
        while True:
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx2.TransportError:
                await asyncio.sleep(0.05)


async def test_sigterm_sends_bye_completes_the_streams_and_exits_with_zero(
    process: tuple[asyncio.subprocess.Process, str], issuer: TokenIssuer, log: Log
) -> None:
    """In a rollout a client has to reconnect, and nothing else: its response is complete."""
    started, url = process
    headers = {"Authorization": f"Bearer {issuer.token('ann')}"}
    async with (
        httpx2.AsyncClient(base_url=url, timeout=10) as client,
        client.stream("GET", "/sse/tasks", headers=headers) as first,
        client.stream("GET", "/sse/tasks", headers=headers) as second,
    ):
        readers = [Reader(first), Reader(second)]
        for reader in readers:
            assert (await reader.event()).name == "sync.ready"
        signalled_at = time.monotonic()
        started.send_signal(signal.SIGTERM)
        for reader in readers:
            assert (await reader.event()).name == "bye"
            await reader.ends()
    assert time.monotonic() - signalled_at < DELAY_SECONDS / 2
    await started.wait()
    output = log.read()
    assert DELAY_SECONDS <= time.monotonic() - signalled_at < DELAY_SECONDS + DRAIN_SECONDS
    assert started.returncode == 0
    assert b"Traceback" not in output
    assert output.count(b"gateway-stopping") == 2


async def test_client_that_comes_back_to_a_stopping_gateway_misses_no_event(
    process: tuple[asyncio.subprocess.Process, str], issuer: TokenIssuer
) -> None:
    """A load balancer that notices late may send a client back, which gets a stream and the missed events."""
    started, url = process
    headers = {"Authorization": f"Bearer {issuer.token('ann')}"}
    async with httpx2.AsyncClient(base_url=url, timeout=10) as client:
        async with client.stream("GET", "/sse/tasks", headers=headers) as response:
            reader = Reader(response)
            position = (await reader.event()).event_id
            started.send_signal(signal.SIGTERM)
            assert (await reader.event()).name == "bye"
        assert (await client.get("/readyz")).status_code == 503
        await deliver_change(client, "ann", "e-1")
        resuming = headers | {"Last-Event-ID": str(position)}
        async with client.stream("GET", "/sse/tasks", headers=resuming) as response:
            assert response.headers["connection"] == "close"
            reader = Reader(response)
            assert (await reader.event()).data["mark"] == "e-1"
            assert (await reader.event()).name == "bye"
            await reader.ends()
    await started.wait()
    assert started.returncode == 0


async def deliver_change(client: httpx2.AsyncClient, user_id: str, event_id: str) -> None:
    """Delivers the event of a changed task over the network, as daprd does."""
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "type": "task.updated",
        "source": "test",
        "time": datetime.now(UTC).isoformat(),
        "topic": "task-events",
        "datacontenttype": "application/json",
        "data": {"event_type": "task.updated", "user_id": user_id, "mark": event_id},
    }
    token = {HEADER: APP_API_TOKEN.get_secret_value()}
    subscriptions = (await client.get("/dapr/subscribe", headers=token)).json()
    [route] = [entry["route"] for entry in subscriptions if entry["topic"] == "task-events"]
    answer = await client.post(route, json=envelope, headers=token)
    assert answer.json() == {"status": "SUCCESS"}


async def test_log_names_the_user_and_never_the_token(
    process: tuple[asyncio.subprocess.Process, str], issuer: TokenIssuer, log: Log
) -> None:
    """A log line has request id, route and user, and nothing that grants access."""
    started, url = process
    token = issuer.token("ann")
    async with (
        httpx2.AsyncClient(base_url=url, timeout=10) as client,
        client.stream("GET", "/sse/tasks", headers={"Authorization": f"Bearer {token}"}) as response,
    ):
        await Reader(response).event()
        request_id = response.headers["x-request-id"]
    started.terminate()
    await started.wait()
    output = log.read()
    ended = next(line for line in output.splitlines() if b'"stream_ended"' in line)
    assert request_id.encode() in ended
    assert b'"user_id":"ann"' in ended
    assert b'"route":"/sse/tasks"' in output
    assert token.encode() not in output
