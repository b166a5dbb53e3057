"""Fixtures of the tools' tests: the service and a backend on real ports, and the SDK's own client."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from todo_kit.auth import TokenVerifier
from todo_kit.testing import TokenIssuer, wait_until
from todo_mcp.app import create_app
from todo_mcp.settings import Settings

from .backend_double import BackendDouble

AUDIENCES = ["todo-api", "todo-mcp"]


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Serve `app` on a free port and give its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5))
        task = asyncio.create_task(server.serve([listening]))
        await wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await task


class Door:
    """The running service, as agents reach it."""

    def __init__(self, url: str, issuer: TokenIssuer) -> None:
        """Reach it at `url` with tokens of `issuer`."""
        self.url = url
        self._issuer = issuer

    @asynccontextmanager
    async def agent_of(self, user_id: str, mode: str = "auto") -> AsyncIterator[Client]:
        """Connect an agent that presents the token of a user."""
        headers = {"Authorization": f"Bearer {self._issuer.token(user_id, audience=AUDIENCES)}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http_client,
            Client(streamable_http_client(f"{self.url}/mcp", http_client=http_client), mode=mode) as client,
        ):
            yield client

    @asynccontextmanager
    async def http(self, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
        """Give a plain HTTP client."""
        async with httpx2.AsyncClient(base_url=self.url, headers=headers) as client:
            yield client


@pytest.fixture(scope="session")
def issuer() -> Iterator[TokenIssuer]:
    """Run the issuer of every user's token."""
    with TokenIssuer() as running:
        yield running


@pytest.fixture
async def double(issuer: TokenIssuer) -> AsyncIterator[BackendDouble]:
    """Return a backend in memory."""
    verifier = TokenVerifier(issuer.issuer, "todo-api", issuer.jwks_url)
    yield BackendDouble(verifier)
    await verifier.aclose()


@pytest.fixture
async def door(issuer: TokenIssuer, double: BackendDouble) -> AsyncIterator[Door]:
    """Run the service in front of the backend in memory."""
    async with serving(double.app) as backend_url:
        settings = Settings(
            jwt_issuer=issuer.issuer,
            jwks_url=issuer.jwks_url,
            backend_url=backend_url,
            public_hosts=("todo.example.com",),
            build_id="build-1",
        )
        async with serving(create_app(settings)) as url:
            yield Door(url, issuer)
