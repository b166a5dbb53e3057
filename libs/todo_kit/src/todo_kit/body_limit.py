"""The middleware that answers 413 to a request with a larger body than the service reads.

FastAPI has such a limit of its own. Its answers are plain text, and clients need to parse a single form of
error.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from todo_kit.problems import ContentTooLargeError, problem_response


class BodyLimitMiddleware:
    """Refuses a body as soon as it is known to be too large, and closes the connection on which it comes.

    A declared `Content-Length` is refused before anything is read. Of a body without one, a chunked body, no
    more is read than the limit and the part that exceeds it.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        """Wraps `app`, which receives at most `max_bytes` of a body."""
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = ContentTooLargeError(self._max_bytes)
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            await problem_response(refusal)(scope, receive, send)
            return
        received = 0
        has_started = False

        async def receive_within_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise refusal
            return message

        async def send_unless_refused(message: Message) -> None:
            nonlocal has_started
            if received > self._max_bytes and not has_started:
                return  # the framework's answer to the interrupted read; ours follows
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive_within_limit, send_unless_refused)
        except ContentTooLargeError:
            if has_started:
                raise
        if received > self._max_bytes and not has_started:
            await problem_response(refusal)(scope, receive, send)
