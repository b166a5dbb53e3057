"""A double of the backend in memory, for tests that check its requests or make it fail.

`test_backend_contract.py` holds it and the real backend to the same behaviour.
"""

import uuid
from collections import defaultdict
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, FastAPI, Header, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from todo_kit.app import create_service
from todo_kit.auth import CurrentPrincipal, TokenVerifier
from todo_kit.problems import NotFoundError, PreconditionFailedError, ProblemError
from todo_kit.settings import ServiceSettings
from todo_mcp.schemas import Priority, Task

NEVER = datetime.max.replace(tzinfo=UTC)
IfMatch = Annotated[str | None, Header()]


class DoubleSettings(ServiceSettings):
    """Settings of the double."""

    service = "backend-double"
    port: int = 0


class CreateBody(BaseModel):
    """The body that creates a task."""

    title: str = Field(min_length=1, max_length=255)
    description: str = ""
    priority: Priority = "medium"
    tags: list[str] = []
    due_date: AwareDatetime | None = None


class PatchBody(BaseModel):
    """The members that change a task; only `due_date` may be null."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(default="", min_length=1, max_length=255)
    description: str = ""
    priority: Priority = "medium"
    tags: list[str] = []
    completed: bool = False
    due_date: AwareDatetime | None = None


class ListQuery(BaseModel):
    """The parameters of a list; of the ways to sort it there are the newest first and the first due first."""

    status: str | None = None
    priority: Priority | None = None
    search: str = ""
    tag: str | None = None
    sort_by: str = "created_at"
    limit: int = Field(default=50, ge=1, le=100)
    cursor: int = 0


class BackendDouble:
    """Serves `/api/todos` from memory. `failure` is raised by every request while it is set."""

    def __init__(self, verifier: TokenVerifier) -> None:
        """Accepts the tokens that `verifier` accepts."""
        self.failure: ProblemError | None = None
        self.request_ids: list[str | None] = []
        self._tasks: dict[str, list[Task]] = defaultdict(list)
        self.app: FastAPI = create_service(DoubleSettings(), routers=[self._router()])
        self.app.state.verifier = verifier

    def _router(self) -> APIRouter:
        router = APIRouter(prefix="/api/todos")

        @router.post("", status_code=201)
        async def create(request: Request, caller: CurrentPrincipal, body: CreateBody) -> Task:
            self._record(request)
            now = datetime.now(UTC)
            values = _in_utc(body.model_dump())
            task = Task(id=uuid.uuid4(), completed=False, created_at=now, updated_at=now, version=1, **values)
            self._tasks[caller.user_id].insert(0, task)
            return task

        @router.get("")
        async def page(
            request: Request, caller: CurrentPrincipal, query: Annotated[ListQuery, Query()]
        ) -> dict[str, object]:
            self._record(request)
            matching = [
                task
                for task in self._tasks[caller.user_id]
                if query.status in {None, "completed" if task.completed else "pending"}
                and query.priority in {None, task.priority}
                and query.search.lower() in f"{task.title}\n{task.description}".lower()
                and query.tag in {None, *task.tags}
            ]
            if query.sort_by == "due_date":
                matching.sort(key=lambda task: task.due_date or NEVER)
            end = query.cursor + query.limit
            items = matching[query.cursor : end]
            return {"items": items, "next_cursor": str(end) if len(matching) > end else None}

        @router.get("/{task_id}")
        async def get(request: Request, caller: CurrentPrincipal, task_id: UUID) -> Task:
            self._record(request)
            return self._find(caller.user_id, task_id, None)

        @router.patch("/{task_id}")
        async def patch(
            request: Request,
            caller: CurrentPrincipal,
            task_id: UUID,
            body: PatchBody,
            if_match: IfMatch = None,
        ) -> Task:
            self._record(request)
            task = self._find(caller.user_id, task_id, if_match)
            sent = _in_utc(body.model_dump(exclude_unset=True))
            if task.model_copy(update=sent) == task:
                return task
            changed = task.model_copy(update=sent | {"version": task.version + 1})
            tasks = self._tasks[caller.user_id]
            tasks[tasks.index(task)] = changed
            return changed

        @router.delete("/{task_id}", status_code=204)
        async def delete(
            request: Request, caller: CurrentPrincipal, task_id: UUID, if_match: IfMatch = None
        ) -> None:
            self._record(request)
            self._tasks[caller.user_id].remove(self._find(caller.user_id, task_id, if_match))

        return router

    def _find(self, user_id: str, task_id: UUID, if_match: str | None) -> Task:
        for task in self._tasks[user_id]:
            if task.id == task_id:
                if if_match not in {None, f'"{task.version}"'}:
                    raise PreconditionFailedError("The task was changed after you read it.")
                return task
        raise NotFoundError(f"You have no task {task_id}. It may have been deleted.")

    def _record(self, request: Request) -> None:
        self.request_ids.append(request.headers.get("x-request-id"))
        if self.failure is not None:
            raise self.failure


def _in_utc(values: dict[str, Any]) -> dict[str, Any]:
    """Returns the values as they are stored."""
    due_date = values.get("due_date")
    return values | ({"due_date": due_date.astimezone(UTC)} if due_date is not None else {})
