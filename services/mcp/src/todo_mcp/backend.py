"""Client of the backend's HTTP API, as far as the tools need it."""

from http import HTTPStatus
from typing import Any, TypeVar
from uuid import UUID

import httpx2
import structlog
from pydantic import BaseModel, ValidationError

from todo_kit.logging import get_logger
from todo_mcp.errors import BackendRefusedError, BackendUnreachableError, TaskChangedError
from todo_mcp.schemas import Task, TaskList

TIMEOUT_SECONDS = 10.0

_log = get_logger(__name__)
_Answer = TypeVar("_Answer", bound=BaseModel)


class _RefusedInput(BaseModel):
    location: str
    pointer: str
    detail: str


class _BackendProblem(BaseModel):
    """The members of a problem+json answer that are shown to the model."""

    detail: str
    errors: list[_RefusedInput] = []


class Backend:
    """Calls the backend with the token of a user.

    Every method raises `BackendRefusedError` when the backend refuses the call, and `BackendUnreachableError`
    when it does not answer, fails, or answers with unexpected JSON. Those that take the version of a task
    raise `TaskChangedError` when the task is in another one.
    """

    def __init__(self, client: httpx2.AsyncClient) -> None:
        """Calls through `client`, whose base URL is the backend's; the caller closes it."""
        self._client = client

    async def create_task(self, token: str, values: dict[str, Any]) -> Task:
        """Creates a task and returns it."""
        return await self._call(Task, token, "POST", "/api/todos", json=values)

    async def list_tasks(self, token: str, query: dict[str, Any]) -> TaskList:
        """Returns a page of the user's tasks; members of `query` that are None are left out."""
        params = {name: value for name, value in query.items() if value is not None}
        return await self._call(TaskList, token, "GET", "/api/todos", params=params)

    async def get_task(self, token: str, task_id: UUID) -> Task:
        """Returns a task."""
        return await self._call(Task, token, "GET", f"/api/todos/{task_id}")

    async def complete_task(self, token: str, task_id: UUID) -> Task:
        """Completes a task and returns it; a repeated call does not reopen it, as the toggle route would."""
        return await self._call(Task, token, "PATCH", f"/api/todos/{task_id}", json={"completed": True})

    async def update_task(self, token: str, task_id: UUID, values: dict[str, Any], version: int) -> Task:
        """Sets the members of `values` of a task that is in `version`, and returns the task."""
        return await self._call(
            Task, token, "PATCH", f"/api/todos/{task_id}", headers=_if_match(version), json=values
        )

    async def delete_task(self, token: str, task_id: UUID, version: int) -> None:
        """Deletes a task that is in `version`."""
        await self._send(token, "DELETE", f"/api/todos/{task_id}", headers=_if_match(version))

    async def _call(
        self, answer: type[_Answer], token: str, method: str, path: str, **request: Any
    ) -> _Answer:
        response = await self._send(token, method, path, **request)
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            _log.error("backend_answer_malformed", path=path, mistakes=error.error_count())
            raise BackendUnreachableError(
                "The task service answered in a way that is not understood."
            ) from error

    async def _send(
        self, token: str, method: str, path: str, headers: dict[str, str] | None = None, **request: Any
    ) -> httpx2.Response:
        """Returns an answer of success."""
        sent = {"Authorization": f"Bearer {token}", **(headers or {})}
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        if request_id is not None:
            sent["X-Request-ID"] = request_id  # the same id in the logs of both services
        try:
            response = await self._client.request(method, path, headers=sent, **request)
        except httpx2.TransportError as error:
            _log.warning("backend_unreachable", error=repr(error))
            raise BackendUnreachableError("The task service cannot be reached. Try again shortly.") from error
        if response.is_server_error:
            _log.warning("backend_failed", status=response.status_code)
            raise BackendUnreachableError(
                f"The task service failed ({response.status_code}). Try again in"
                f" {response.headers.get('Retry-After', '30')} seconds."
            )
        if response.status_code == HTTPStatus.PRECONDITION_FAILED:
            raise TaskChangedError
        if not response.is_success:
            raise BackendRefusedError(_reason(response))
        return response


def _if_match(version: int) -> dict[str, str]:
    return {"If-Match": f'"{version}"'}


def _reason(response: httpx2.Response) -> str:
    """Returns a problem's detail and, for refused input, what is wrong with each member."""
    try:
        problem = _BackendProblem.model_validate_json(response.content)
    except ValidationError:
        return f"The task service refused the call with status {response.status_code}."
    refused = [f"{item.pointer.strip('/') or item.location}: {item.detail}" for item in problem.errors]
    return " ".join([problem.detail, *(f"{reason}." for reason in refused)])
