"""A double of the backend in memory, for tests that check its requests or make it fail.

`test_backend_contract.py` holds it and the real backend to the same behaviour.
"""

import uuid
from collections import defaultdict
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, FastAPI, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from todo_kit.app import create_service
from todo_kit.auth import CurrentPrincipal, TokenVerifier
from todo_kit.events import Priority, TaskSnapshot
from todo_kit.problems import NotFoundError, ProblemError
from todo_kit.settings import ServiceSettings


class DoubleSettings(ServiceSettings):
    """Settings of the double."""

    service = "backend-double"
    port: int = 0


class CreateBody(BaseModel):
    """The body that creates a task."""

    title: str = Field(min_length=1, max_length=255)
    description: str = ""
    priority: Priority = "medium"
    due_date: AwareDatetime | None = None


class PatchBody(BaseModel):
    """The body that completes or reopens a task."""

    completed: bool


class ListQuery(BaseModel):
    """The parameters of a list; how it is sorted does not matter here."""

    status: str | None = None
    priority: Priority | None = None
    limit: int = Field(default=50, ge=1, le=100)
    cursor: int = 0


class BackendDouble:
    """Serves `/api/todos` from memory. `failure` is raised by every request while it is set."""

    def __init__(self, verifier: TokenVerifier) -> None:
        """Accepts the tokens that `verifier` accepts."""
        self.failure: ProblemError | None = None
        self.request_ids: list[str | None] = []
        self._tasks: dict[str, list[TaskSnapshot]] = defaultdict(list)
        self.app: FastAPI = create_service(DoubleSettings(), routers=[self._router()])
        self.app.state.verifier = verifier

    def _router(self) -> APIRouter:
        router = APIRouter(prefix="/api/todos")

        @router.post("", status_code=201)
        async def create(request: Request, caller: CurrentPrincipal, body: CreateBody) -> TaskSnapshot:
            self._record(request)
            now = datetime.now(UTC)
            values = body.model_dump() | {"due_date": body.due_date and body.due_date.astimezone(UTC)}
            task = TaskSnapshot(id=uuid.uuid4(), completed=False, created_at=now, updated_at=now, **values)
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
            ]
            end = query.cursor + query.limit
            items = matching[query.cursor : end]
            return {"items": items, "next_cursor": str(end) if len(matching) > end else None}

        @router.patch("/{task_id}")
        async def patch(
            request: Request, caller: CurrentPrincipal, task_id: UUID, body: PatchBody
        ) -> TaskSnapshot:
            self._record(request)
            tasks = self._tasks[caller.user_id]
            for index, task in enumerate(tasks):
                if task.id == task_id:
                    tasks[index] = task.model_copy(update={"completed": body.completed})
                    return tasks[index]
            raise NotFoundError(f"You have no task {task_id}. It may have been deleted.")

        return router

    def _record(self, request: Request) -> None:
        self.request_ids.append(request.headers.get("x-request-id"))
        if self.failure is not None:
            raise self.failure
