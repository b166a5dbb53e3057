"""Fixtures: the service and a backend on real ports, and the SDK's own client."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

from todo_kit.auth import TokenVerifier
from todo_kit.testing import DAPR_API_TOKEN, TokenIssuer, serving
from todo_mcp.app import create_app
from todo_mcp.authentication import UserTokenVerifier
from todo_mcp.backend import Backend
from todo_mcp.server import create_server
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
    async def agent_of(
        self, user_id: str, mode: str = "auto", user: ElicitationFnT | None = None
    ) -> AsyncIterator[Client]:
        """Connects an agent that presents the token of a user; `user` answers questions, if any."""
        headers = {"Authorization": f"Bearer {self._issuer.token(user_id, audience=AUDIENCES)}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http_client,
            Client(
                streamable_http_client(f"{self.url}/mcp", http_client=http_client),
                mode=mode,
                elicitation_callback=user,
            ) as client,
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
async def settings(issuer: TokenIssuer, double: BackendDouble) -> AsyncIterator[Settings]:
    """Runs the backend in memory on a port, and returns the settings of a service in front of it."""
    async with serving(double.app) as backend_url:
        yield Settings(
            jwt_issuer=issuer.issuer,
            jwks_url=issuer.jwks_url,
            backend_url=backend_url,
            public_hosts=("todo.example.com",),
            dapr_api_token=DAPR_API_TOKEN,
            build_id="build-1",
        )


@pytest.fixture
async def tool_server(issuer: TokenIssuer, settings: Settings) -> AsyncIterator[ToolServer]:
    """Runs the service."""
    async with serving(create_app(settings)) as url:
        yield ToolServer(url, issuer)


@pytest.fixture
async def second_replica(issuer: TokenIssuer, settings: Settings) -> AsyncIterator[ToolServer]:
    """Runs another replica of the service."""
    async with serving(create_app(settings)) as url:
        yield ToolServer(url, issuer)


class MemoryServer:
    """The MCP server without HTTP before or behind it: client, server and backend call each other."""

    def __init__(self, server: MCPServer, issuer: TokenIssuer) -> None:
        """Connects to `server` with tokens of `issuer`."""
        self._server = server
        self._issuer = issuer

    @asynccontextmanager
    async def agent_of(
        self, user_id: str, mode: str = "auto", user: ElicitationFnT | None = None
    ) -> AsyncIterator[Client]:
        """Connects an agent of a user, as `ToolServer.agent_of` does."""
        access = AccessToken(token=self._issuer.token(user_id), client_id=user_id, scopes=[], subject=user_id)
        before = auth_context_var.set(AuthenticatedUser(access))
        async with Client(self._server, mode=mode, elicitation_callback=user) as client:
            yield client
        auth_context_var.reset(before)


@pytest.fixture
async def memory_server(issuer: TokenIssuer, double: BackendDouble) -> AsyncIterator[MemoryServer]:
    """Returns the server with the backend in memory."""
    settings = Settings(jwt_issuer=issuer.issuer, jwks_url=issuer.jwks_url, dapr_api_token=DAPR_API_TOKEN)
    verifier = TokenVerifier.from_settings(settings)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(double.app), base_url="http://backend.test"
    ) as client:
        yield MemoryServer(create_server(settings, UserTokenVerifier(verifier), Backend(client)), issuer)
    await verifier.aclose()
