"""`GET /sse/tasks` as an ASGI application: a response that ends when its token expires.

It sends encoded bytes to the server directly, without the layers of FastAPI. FastAPI's own server-sent events
are encoded for each connection, which makes a broadcast sixty times slower (design facts 2.3).
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime

import structlog
from fastapi.security.utils import get_authorization_scheme_param
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from todo_kit.auth import Principal, TokenVerifier
from todo_kit.drain import Drain
from todo_kit.logging import get_logger
from todo_kit.problems import ProblemError, UnauthorizedError, problem_response
from todo_sse_gateway.broadcast import wire
from todo_sse_gateway.broadcast.hub import Hub
from todo_sse_gateway.broadcast.stream import EndReason, Stream
from todo_sse_gateway.errors import MethodNotAllowedError, StoppingError
from todo_sse_gateway.limits import Limits
from todo_sse_gateway.metrics import CONNECTIONS, RESETS, STREAMS_ENDED, STREAMS_REFUSED

_log = get_logger(__name__)


class StreamEndpoint:
    """Authenticates a request, opens its stream in the hub and writes it until it ends."""

    path = "/sse/tasks"

    def __init__(
        self, hub: Hub, verifier: TokenVerifier, drain: Drain, limits: Limits, now: Callable[[], datetime]
    ) -> None:
        """Builds the endpoint; `now` is the wall clock that a token's `exp` is compared with."""
        self._hub = hub
        self._verifier = verifier
        self._drain = drain
        self._limits = limits
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request with a stream, or with a problem that says why there is none."""
        scope["route"] = self  # the request log reads the path from here
        try:
            expires_at, stream, is_reset = await self._open(scope)
        except ProblemError as error:
            STREAMS_REFUSED.labels(int(error.status_code)).inc()
            await problem_response(error)(scope, receive, send)
            return
        timer = _StreamTimer(stream, expires_at, self._limits.heartbeat_seconds, self._now)
        watcher = asyncio.create_task(_watch_disconnect(stream, receive))
        CONNECTIONS.inc()
        try:
            await self._write(stream, send)
        finally:
            CONNECTIONS.dec()
            watcher.cancel()
            timer.stop()
            self._hub.discard(stream)
            reason = stream.end_reason or EndReason.DISCONNECTED  # cancelled by the server
            STREAMS_ENDED.labels(reason).inc()
            _log.info("stream_ended", reason=reason, is_reset=is_reset)

    async def _open(self, scope: Scope) -> tuple[datetime, Stream, bool]:
        if scope["method"] != "GET":
            raise MethodNotAllowedError
        headers = Headers(scope=scope)
        principal = await self._authenticate(headers)
        if self._drain.is_closing:
            raise StoppingError
        stream, is_reset = self._hub.open(principal.user_id, headers.get("last-event-id"))
        if is_reset:
            RESETS.inc()
        return principal.expires_at, stream, is_reset

    async def _authenticate(self, headers: Headers) -> Principal:
        scheme, token = get_authorization_scheme_param(headers.get("authorization"))
        if scheme.lower() != "bearer" or not token:
            raise UnauthorizedError("Send the header 'Authorization: Bearer <token>'.")
        principal = await self._verifier.verify(token)
        structlog.contextvars.bind_contextvars(user_id=principal.user_id)
        return principal

    async def _write(self, stream: Stream, send: Send) -> None:
        """Sends the events of the stream until it ends.

        The last bytes of an ended stream may take `flush_seconds`; if it ended because its reader is too
        slow, they are not sent. In both cases the response may stay incomplete on purpose: the server cuts
        the connection, and the client resumes.
        """
        loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as limit:

                def limit_flush(reason: EndReason) -> None:
                    grace = 0.0 if reason is EndReason.OVERFLOWED else self._limits.flush_seconds
                    limit.reschedule(loop.time() + grace)

                stream.on_end(limit_flush)
                await send({"type": "http.response.start", "status": 200, "headers": list(wire.HEADERS)})
                while (batch := await stream.next_batch()) is not None:
                    await send({"type": "http.response.body", "body": batch, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _watch_disconnect(stream: Stream, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end(EndReason.DISCONNECTED)


class _StreamTimer:
    """The timer of a stream: sends a comment while it is idle, and ends it when the token expires."""

    def __init__(
        self, stream: Stream, expires_at: datetime, heartbeat_seconds: float, now: Callable[[], datetime]
    ) -> None:
        self._stream = stream
        self._expires_at = expires_at
        self._heartbeat_seconds = heartbeat_seconds
        self._now = now
        self._timer = self._schedule()

    def stop(self) -> None:
        self._timer.cancel()

    def _schedule(self) -> asyncio.TimerHandle:
        remaining = (self._expires_at - self._now()).total_seconds()
        delay = min(self._heartbeat_seconds, max(0.0, remaining))
        return asyncio.get_running_loop().call_later(delay, self._fire)

    def _fire(self) -> None:
        if self._now() >= self._expires_at:
            self._stream.end(EndReason.EXPIRED)
            return
        if self._stream.is_idle:
            self._stream.push(wire.HEARTBEAT)
        self._timer = self._schedule()
