"""Puts the MCP service together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import httpx2
from fastapi import FastAPI
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from todo_kit.app import create_service
from todo_kit.auth import TokenVerifier
from todo_mcp.authentication import UserTokenVerifier, auth_settings
from todo_mcp.backend import TIMEOUT_SECONDS, Backend
from todo_mcp.settings import Settings
from todo_mcp.tools import INSTRUCTIONS, register_tools


def create_app(settings: Settings) -> FastAPI:
    """Return the service: the tools at `/mcp`, RFC 9728 metadata, and what every service has."""
    verifier = TokenVerifier.from_settings(settings)
    client = httpx2.AsyncClient(base_url=settings.backend_url, timeout=TIMEOUT_SECONDS)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(verifier.aclose)
            stack.push_async_callback(client.aclose)
            await stack.enter_async_context(server.session_manager.run())
            yield

    app = create_service(settings, lifespan=lifespan)  # first, for the SDK would set up logging otherwise
    server = MCPServer(
        "todo",
        title="Todo",
        instructions=INSTRUCTIONS,
        version=settings.build_id,
        token_verifier=UserTokenVerifier(verifier),
        auth=auth_settings(settings),
        subscriptions=False,  # the tools never change, so there is nothing to subscribe to
    )
    register_tools(server, Backend(client))
    transport = server.streamable_http_app(
        stateless_http=True,  # older clients would need sticky sessions otherwise
        json_response=True,  # no answer is streamed, so no proxy can hold one back
        transport_security=_transport_security(settings),
    )
    app.mount("/", _WithoutErrorPages(transport))
    return app


def _transport_security(settings: Settings) -> TransportSecuritySettings:
    """Return the Host and Origin headers that are accepted, against DNS rebinding; others get 421 and 403."""
    public = urlsplit(settings.jwt_issuer)
    names = ["localhost", "127.0.0.1", "[::1]", *settings.public_hosts]
    return TransportSecuritySettings(
        allowed_hosts=[host for name in names for host in (name, f"{name}:*")],
        allowed_origins=[
            f"{public.scheme}://{public.netloc}",
            "http://localhost:*",
            "http://127.0.0.1:*",
        ],
    )


class _WithoutErrorPages:
    """The routes and middlewares of an application without its handling of errors.

    It would answer a failure in plain text before ours can say it as a problem, such as 503 without keys.
    """

    def __init__(self, application: Starlette) -> None:
        self.routes = application.routes  # where Starlette and the metrics look for a mounted route's name
        self._wrapped: ASGIApp = application.router
        for middleware in reversed(application.user_middleware):
            self._wrapped = middleware.cls(self._wrapped, *middleware.args, **middleware.kwargs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._wrapped(scope, receive, send)
