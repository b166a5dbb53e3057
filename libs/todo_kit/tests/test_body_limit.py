"""Bodies that are larger than a service reads."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI, Request

from todo_kit.app import create_service
from todo_kit.settings import ServiceSettings

LIMIT = 1024


@pytest.fixture
def received() -> list[int]:
    """Returns the sizes of the parts of bodies that reached the route."""
    return []


@pytest.fixture
def app(settings: ServiceSettings, received: list[int]) -> FastAPI:
    """Returns a service with a small limit, a route that takes JSON and one that reads by itself."""
    app = create_service(settings.model_copy(update={"max_body_bytes": LIMIT}))

    @app.post("/json")
    async def take_json(body: dict[str, Any]) -> int:
        return len(body)

    @app.post("/stream")
    async def take_stream(request: Request) -> int:
        received.extend([len(part) async for part in request.stream()])
        return sum(received)

    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """Returns a client of that service."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://app.test") as client:
        yield client


async def endless(part: bytes) -> AsyncIterator[bytes]:
    """Yields the same part for ever."""
    while True:
        yield part


@pytest.mark.parametrize("path", ["/json", "/stream"])
async def test_declared_length_is_refused_before_the_body_is_read(
    client: httpx2.AsyncClient, received: list[int], path: str
) -> None:
    """The answer is a problem and names the limit."""
    response = await client.post(path, content=b"{}" + b" " * LIMIT)
    assert (response.status_code, response.headers["Connection"]) == (413, "close")
    assert response.json()["type"] == "urn:todo:problem:content-too-large"
    assert str(LIMIT) in response.json()["detail"]
    assert response.json()["request_id"] == response.headers["X-Request-ID"]
    assert received == []


@pytest.mark.parametrize("path", ["/json", "/stream"])
async def test_chunked_body_is_read_up_to_the_limit_only(
    client: httpx2.AsyncClient, received: list[int], path: str
) -> None:
    """A body without a declared length may never end."""
    response = await client.post(
        path, content=endless(b" " * 400), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 413
    assert response.headers["Content-Type"] == "application/problem+json"
    assert sum(received) <= LIMIT


async def test_body_of_exactly_the_limit_is_read(client: httpx2.AsyncClient) -> None:
    """The limit itself is allowed, declared or not."""
    body = b"{}".ljust(LIMIT)
    declared = await client.post("/json", content=body, headers={"Content-Type": "application/json"})
    chunked = await client.post("/stream", content=_parts(body))
    assert (declared.status_code, chunked.json()) == (200, LIMIT)


async def test_unreadable_body_is_a_problem_of_its_own(client: httpx2.AsyncClient) -> None:
    """What is no UTF-8 cannot be compared with a schema."""
    response = await client.post(
        "/json", content=b'{"a": "\xff"}', headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, response.json()["type"]) == (400, "urn:todo:problem:malformed-body")


@pytest.fixture
def port(app: FastAPI) -> Iterator[int]:
    """Serves the service by uvicorn and returns its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()


def test_server_closes_the_connection_of_a_refused_body(port: int) -> None:
    """A client that declares 200 MB is answered while it has sent only the headers."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST /json HTTP/1.1\r\nHost: a\r\nContent-Length: 200000000\r\n\r\n")
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 413 ")


async def _parts(body: bytes) -> AsyncIterator[bytes]:
    yield body[:100]
    yield body[100:]
