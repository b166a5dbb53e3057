"""HTTP errors, and how they are rendered: `application/problem+json` (RFC 9457).

    ProblemError
    ├── MalformedBodyError     400
    ├── UnauthorizedError      401, with WWW-Authenticate
    │   └── todo_kit.auth.InvalidTokenError
    ├── NotFoundError          404, also for what belongs to another user
    ├── PreconditionFailedError  412
    ├── ContentTooLargeError   413
    ├── ValidationFailedError  422
    │   └── todo_kit.cursors.InvalidCursorError
    ├── TooManyRequestsError   429
    └── UnavailableError       503, with Retry-After
        └── todo_kit.jwks.KeysUnavailableError

A service derives its own errors from these in its `errors.py`. A message says what is wrong, with which
value, and what to do next. The caller sees it, so it never repeats a secret or the refused input.
"""

import re
from collections.abc import Mapping
from http import HTTPMethod, HTTPStatus
from typing import Any, ClassVar

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """An error with an HTTP status, a fixed title and a detail for this occurrence.

    Subclasses must define or inherit `status_code` and `title`. `type` is derived from the name of the class
    (`NotFoundError` -> `urn:todo:problem:not-found`), so that clients can distinguish errors.
    """

    status_code: ClassVar[int]
    title: ClassVar[str]
    type: ClassVar[str]

    def __init_subclass__(cls) -> None:
        """Refuses a subclass without a status or a title when it is defined, not only when it is raised."""
        super().__init_subclass__()
        for name in ("status_code", "title"):
            if not hasattr(cls, name):
                raise TypeError(f"{cls.__qualname__} must define {name}")
        words = re.findall(r"[A-Z][a-z0-9]*", cls.__name__.removesuffix("Error"))
        cls.type = "urn:todo:problem:" + "-".join(words).lower()

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None, **extensions: Any) -> None:
        """Stores the detail, response headers and further problem members such as `errors`."""
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.extensions = extensions


class MalformedBodyError(ProblemError):
    """The body of the request cannot be read; one that is read and does not fit its schema is a 422."""

    status_code = HTTPStatus.BAD_REQUEST
    title = "Malformed body"

    def __init__(self) -> None:
        """Sets the detail that tells the caller what to send."""
        super().__init__("The body cannot be read. Send JSON in UTF-8.")


class UnauthorizedError(ProblemError):
    """The request carries no acceptable credentials."""

    status_code = HTTPStatus.UNAUTHORIZED
    title = "Sign-in required"
    challenge: ClassVar[str] = "Bearer"

    def __init__(self, detail: str, **extensions: Any) -> None:
        """Adds the WWW-Authenticate header that RFC 9110 requires of every 401."""
        super().__init__(detail, headers={"WWW-Authenticate": self.challenge}, **extensions)


class NotFoundError(ProblemError):
    """The resource does not exist for this user."""

    status_code = HTTPStatus.NOT_FOUND
    title = "Not found"


class PreconditionFailedError(ProblemError):
    """The resource is not in the state that the caller requires."""

    status_code = HTTPStatus.PRECONDITION_FAILED
    title = "Precondition failed"


class ContentTooLargeError(ProblemError):
    """The body of the request is larger than the service reads."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "Content too large"

    def __init__(self, max_bytes: int) -> None:
        """Names the limit, and closes the connection, because the rest of the body is not read."""
        super().__init__(
            f"The body has more than the {max_bytes} bytes that are read. Send less at once.",
            headers={"Connection": "close"},
        )


class ValidationFailedError(ProblemError):
    """The request is understood, but something in it is not allowed."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Validation failed"


class TooManyRequestsError(ProblemError):
    """The caller sends more requests than allowed."""

    status_code = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many requests"


class UnavailableError(ProblemError):
    """A dependency of the service does not answer; the same request may succeed later."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Temporarily unavailable"

    def __init__(self, detail: str, *, retry_after_seconds: int = 5, **extensions: Any) -> None:
        """Adds the Retry-After header."""
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)}, **extensions)


class InvalidInput(BaseModel):
    """One refused part of a request: where it was, as a JSON pointer, and why. Never the value itself."""

    location: str
    pointer: str
    detail: str


class Problem(BaseModel):
    """The body of every error response."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None
    errors: list[InvalidInput] | None = None


def problem_response(error: ProblemError) -> Response:
    """Renders `error` with the current request id. The response needs no FastAPI: ASGI can send it."""
    return _render(
        type_=error.type,
        title=error.title,
        status=error.status_code,
        detail=error.detail,
        headers=error.headers,
        **error.extensions,
    )


def internal_error_response() -> Response:
    """Renders the answer to an unexpected exception; no detail of it leaves the process."""
    return _render(
        type_="urn:todo:problem:internal",
        title="Internal error",
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        detail="The request failed. Report its request_id.",
    )


def problem_responses(*errors: type[ProblemError]) -> dict[int | str, dict[str, Any]]:
    """Returns the `responses=` of a route or router, so that OpenAPI shows its possible problems."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        int(error.status_code): {"description": error.title, "content": {MEDIA_TYPE: schema}}
        for error in errors
    }


def install_problems(app: FastAPI) -> None:
    """Makes `app` render our errors, refused input and the framework's own HTTP errors as problems."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101  # narrows the type that registration guarantees
    return problem_response(error)


async def _on_validation_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # narrows the registered type
    refused = [_invalid_input(item) for item in error.errors()]
    return problem_response(ValidationFailedError("The request does not fit its schema.", errors=refused))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # narrows the registered type
    if error.status_code == HTTPStatus.BAD_REQUEST:  # the framework's only one: it could not read the body
        return problem_response(MalformedBodyError())
    phrase = HTTPStatus(error.status_code).phrase
    headers = error.headers
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": ", ".join(_allowed_methods(request))}
    return _render(
        type_="about:blank",
        title=phrase,
        status=error.status_code,
        detail=error.detail or phrase,
        headers=headers,
    )


def _allowed_methods(request: Request) -> list[str]:
    """Returns the methods of all routes with the path of the request; Starlette names those of one route."""
    return [
        method
        for method in HTTPMethod
        if any(
            route.matches({**request.scope, "method": method.value})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


def _invalid_input(item: Mapping[str, Any]) -> dict[str, str]:
    location, *path = (str(part) for part in item["loc"])
    escaped = (part.replace("~", "~0").replace("/", "~1") for part in path)
    pointer = "".join(f"/{part}" for part in escaped)
    return {"location": location, "pointer": pointer, "detail": str(item["msg"])}


def _render(
    *,
    type_: str,
    title: str,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **extensions: Any,
) -> Response:
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    members = {
        "type": type_,
        "title": title,
        "status": int(status),
        "detail": detail,
        "request_id": request_id,
    }
    body = orjson.dumps(members | extensions)
    return Response(body, status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE)
