"""Builds the MCP service's application."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import httpx2
from fastapi import FastAPI
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from todo_kit.app import create_service
from todo_kit.auth import TokenVerifier
from todo_kit.sidecar_token import HEADER
from todo_mcp.authentication import UserTokenVerifier
from todo_mcp.backend import TIMEOUT_SECONDS, Backend
from todo_mcp.server import create_server
from todo_mcp.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Returns the service: the tools at `/mcp`, RFC 9728 metadata, and what every service has."""
    verifier = TokenVerifier.from_settings(settings)
    client = httpx2.AsyncClient(
        base_url=settings.backend_url,
        headers={HEADER: settings.dapr_api_token.get_secret_value()},  # the sidecar takes it out
        timeout=TIMEOUT_SECONDS,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(verifier.aclose)
            stack.push_async_callback(client.aclose)
            await stack.enter_async_context(server.session_manager.run())
            yield

    app = create_service(settings, lifespan=lifespan)  # first, because otherwise the SDK configures logging
    server = create_server(settings, UserTokenVerifier(verifier), Backend(client))
    transport = server.streamable_http_app(
        stateless_http=True,  # with sessions, older clients would need sticky routing
        json_response=True,  # an answer that is not streamed cannot be delayed by a buffering proxy
        transport_security=_transport_security(settings),
    )
    app.mount("/", _WithoutErrorPages(transport))
    return app


def _transport_security(settings: Settings) -> TransportSecuritySettings:
    """Returns the accepted Host and Origin headers (DNS rebinding); others get 421 and 403."""
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
    """The routes and middlewares of an application without its error handling.

    That would answer an exception in plain text before ours can render it as a problem, such as the 503 while
    the issuer's keys are unknown.
    """

    def __init__(self, application: Starlette) -> None:
        self.routes = application.routes  # Starlette and the metrics read the name of a mounted route here
        self._wrapped: ASGIApp = application.router
        for middleware in reversed(application.user_middleware):
            self._wrapped = middleware.cls(self._wrapped, *middleware.args, **middleware.kwargs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._wrapped(scope, receive, send)
