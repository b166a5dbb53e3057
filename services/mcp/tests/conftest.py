"""Fixtures: the service and a backend on real ports, and the SDK's own client."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from todo_kit.auth import TokenVerifier
from todo_kit.testing import DAPR_API_TOKEN, TokenIssuer, serving
from todo_mcp.app import create_app
from todo_mcp.settings import Settings

from .backend_double import BackendDouble

AUDIENCES = ["todo-api", "todo-mcp"]


class ToolServer:
    """The running service, with clients for it."""

    def __init__(self, url: str, issuer: TokenIssuer) -> None:
        """Connects to `url` with tokens of `issuer`."""
        self.url = url
        self._issuer = issuer

    @asynccontextmanager
    async def agent_of(self, user_id: str, mode: str = "auto") -> AsyncIterator[Client]:
        """Connects an agent that presents the token of a user."""
        headers = {"Authorization": f"Bearer {self._issuer.token(user_id, audience=AUDIENCES)}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http_client,
            Client(streamable_http_client(f"{self.url}/mcp", http_client=http_client), mode=mode) as client,
        ):
            yield client

    @asynccontextmanager
    async def http(self, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
        """Yields a plain HTTP client."""
        async with httpx2.AsyncClient(base_url=self.url, headers=headers) as client:
            yield client


@pytest.fixture(scope="session")
def issuer() -> Iterator[TokenIssuer]:
    """Runs the issuer of all tokens."""
    with TokenIssuer() as running:
        yield running


@pytest.fixture
async def double(issuer: TokenIssuer) -> AsyncIterator[BackendDouble]:
    """Returns a backend in memory."""
    verifier = TokenVerifier(issuer.issuer, "todo-api", issuer.jwks_url)
    yield BackendDouble(verifier)
    await verifier.aclose()


@pytest.fixture
async def tool_server(issuer: TokenIssuer, double: BackendDouble) -> AsyncIterator[ToolServer]:
    """Runs the service in front of the backend in memory."""
    async with serving(double.app) as backend_url:
        settings = Settings(
            jwt_issuer=issuer.issuer,
            jwks_url=issuer.jwks_url,
            backend_url=backend_url,
            public_hosts=("todo.example.com",),
            dapr_api_token=DAPR_API_TOKEN,
            build_id="build-1",
        )
        async with serving(create_app(settings)) as url:
            yield ToolServer(url, issuer)
