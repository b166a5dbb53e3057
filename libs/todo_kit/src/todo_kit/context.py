"""The middleware around every request: ids, one log line, and the answer to unexpected exceptions."""

import re
import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from todo_kit.logging import get_logger
from todo_kit.problems import internal_error_response

_log = get_logger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context
_QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/api/health"})


class RequestContextMiddleware:
    """Binds `request_id` and `trace_id` for logs, answers with `X-Request-ID`, and logs each request once.

    A caller's `X-Request-ID` is kept when it is 8 to 64 letters, digits, dots, dashes or underscores. The
    path is logged as the template of its route, without the query string, because both may contain what a
    user wrote.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wraps `app`; this must be the outermost middleware."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        sent_id = headers.get("x-request-id", "")
        request_id = sent_id if _REQUEST_ID.fullmatch(sent_id) else uuid.uuid4().hex
        trace = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            request_id=request_id, trace_id=trace.group(1) if trace else None, user_id=None
        )
        started_at = time.perf_counter()
        status: int | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            _log.exception("request_failed", method=scope["method"], route=_route(scope))
            if (
                status is not None
            ):  # the response has begun; cutting the connection shows that it is incomplete
                raise
            await internal_error_response()(scope, receive, send_with_id)
        finally:
            level = "debug" if scope["path"] in _QUIET_PATHS else "info"
            duration_ms = round((time.perf_counter() - started_at) * 1000, 1)
            getattr(_log, level)(
                "request", method=scope["method"], route=_route(scope), status=status, duration_ms=duration_ms
            )


def _route(scope: Scope) -> str:
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "unmatched"
