"""HTTP errors and their one rendering, `application/problem+json` (RFC 9457).

    ProblemError
    ├── BadRequestError        400
    ├── UnauthorizedError      401, with WWW-Authenticate
    │   └── todo_kit.auth.InvalidTokenError
    ├── NotFoundError          404, also for what belongs to another user
    ├── ConflictError          409
    ├── ValidationFailedError  422
    ├── TooManyRequestsError   429
    └── UnavailableError       503, with Retry-After

A service derives its own from these in its `errors.py`. A message says what, with which value, and what to do
next; it is shown to the caller, so it never repeats a secret or the refused input.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """An error with an HTTP status, a fixed title and a detail for this occurrence.

    Subclasses must say `status_code` and `title`, themselves or by inheritance; `type` is derived from the
    class name (`NotFoundError` -> `urn:todo:problem:not-found`) so that clients can tell kinds apart.
    """

    status_code: ClassVar[int]
    title: ClassVar[str]
    type: ClassVar[str]

    def __init_subclass__(cls) -> None:
        """Refuse a subclass without a status or a title when it is defined, not when it is raised."""
        super().__init_subclass__()
        for name in ("status_code", "title"):
            if not hasattr(cls, name):
                raise TypeError(f"{cls.__qualname__} must define {name}")
        words = re.findall(r"[A-Z][a-z0-9]*", cls.__name__.removesuffix("Error"))
        cls.type = "urn:todo:problem:" + "-".join(words).lower()

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None, **extensions: Any) -> None:
        """Keep the detail, response headers and further problem members such as `errors`."""
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.extensions = extensions


class BadRequestError(ProblemError):
    """The request cannot be acted on in the state that its target is in."""

    status_code = HTTPStatus.BAD_REQUEST
    title = "Bad request"


class UnauthorizedError(ProblemError):
    """The request carries no acceptable credentials."""

    status_code = HTTPStatus.UNAUTHORIZED
    title = "Sign-in required"
    challenge: ClassVar[str] = "Bearer"

    def __init__(self, detail: str, **extensions: Any) -> None:
        """Add the WWW-Authenticate header that RFC 9110 asks of every 401."""
        super().__init__(detail, headers={"WWW-Authenticate": self.challenge}, **extensions)


class NotFoundError(ProblemError):
    """The thing does not exist for this user."""

    status_code = HTTPStatus.NOT_FOUND
    title = "Not found"


class ConflictError(ProblemError):
    """The request contradicts what is stored."""

    status_code = HTTPStatus.CONFLICT
    title = "Conflict"


class ValidationFailedError(ProblemError):
    """The request is understood, and something in it is not allowed."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Validation failed"


class TooManyRequestsError(ProblemError):
    """The caller asks more often than is allowed."""

    status_code = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many requests"


class UnavailableError(ProblemError):
    """Something the service depends on does not answer; the same request may succeed later."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Temporarily unavailable"

    def __init__(self, detail: str, *, retry_after_seconds: int = 5, **extensions: Any) -> None:
        """Add the Retry-After header."""
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
    """Render `error` with the current request id. Needs no FastAPI, only a response that ASGI can send."""
    return _render(
        type_=error.type,
        title=error.title,
        status=error.status_code,
        detail=error.detail,
        headers=error.headers,
        **error.extensions,
    )


def internal_error_response() -> Response:
    """Render the answer to an unforeseen exception: no detail of it leaves the process."""
    return _render(
        type_="urn:todo:problem:internal",
        title="Internal error",
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        detail="The request failed. Report its request_id.",
    )


def problem_responses(*errors: type[ProblemError]) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` of a route or router, so that OpenAPI shows which problems it answers with."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        int(error.status_code): {"description": error.title, "content": {MEDIA_TYPE: schema}}
        for error in errors
    }


def install_problems(app: FastAPI) -> None:
    """Render our errors, refused input and the framework's own HTTP errors of `app` as problems."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - narrows the type that registration guarantees
    return problem_response(error)


async def _on_validation_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - narrows the registered type
    found = [_invalid_input(item) for item in error.errors()]
    return problem_response(ValidationFailedError("The request does not fit its schema.", errors=found))


async def _on_http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - narrows the registered type
    phrase = HTTPStatus(error.status_code).phrase
    return _render(
        type_="about:blank",
        title=phrase,
        status=error.status_code,
        detail=error.detail or phrase,
        headers=error.headers,
    )


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
