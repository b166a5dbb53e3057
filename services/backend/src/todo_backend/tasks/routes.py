"""HTTP interface of tasks, `/api/todos`; the docstrings of routes are their descriptions in OpenAPI."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from todo_backend.errors import TaskNotFoundError
from todo_backend.tasks.schemas import Task, TaskPage, TaskPatch, TaskQuery, TaskWrite
from todo_backend.tasks.service import TaskService
from todo_kit.auth import CurrentPrincipal
from todo_kit.problems import (
    UnauthorizedError,
    UnavailableError,
    ValidationFailedError,
    problem_responses,
)

router = APIRouter(
    prefix="/api/todos",
    tags=["todos"],
    responses=problem_responses(UnauthorizedError, ValidationFailedError, UnavailableError),
)
_may_be_missing = problem_responses(TaskNotFoundError)


def _service(request: Request) -> TaskService:
    service: TaskService = request.app.state.tasks
    return service


Tasks = Annotated[TaskService, Depends(_service)]


@router.get("", responses={200: {"model": TaskPage}})
async def list_tasks(
    tasks: Tasks, caller: CurrentPrincipal, query: Annotated[TaskQuery, Query()]
) -> Response:
    """List the caller's tasks, newest first unless asked otherwise."""
    return Response(await tasks.page(caller.user_id, query), media_type="application/json")


@router.post("", status_code=201)
async def create_task(tasks: Tasks, caller: CurrentPrincipal, body: TaskWrite, response: Response) -> Task:
    """Create a task."""
    task = await tasks.create(caller.user_id, body)
    response.headers["Location"] = f"{router.prefix}/{task.id}"
    return task


@router.get("/{task_id}", responses=_may_be_missing)
async def get_task(tasks: Tasks, caller: CurrentPrincipal, task_id: UUID) -> Task:
    """Return one task."""
    return await tasks.get(caller.user_id, task_id)


@router.put("/{task_id}", responses=_may_be_missing)
async def replace_task(tasks: Tasks, caller: CurrentPrincipal, task_id: UUID, body: TaskWrite) -> Task:
    """Replace everything a user may set; what is left out gets its default."""
    return await tasks.replace(caller.user_id, task_id, body)


@router.patch("/{task_id}", responses=_may_be_missing)
async def update_task(tasks: Tasks, caller: CurrentPrincipal, task_id: UUID, body: TaskPatch) -> Task:
    """Change the members that are sent."""
    return await tasks.patch(caller.user_id, task_id, body)


@router.delete("/{task_id}", status_code=204, responses=_may_be_missing)
async def delete_task(tasks: Tasks, caller: CurrentPrincipal, task_id: UUID) -> None:
    """Delete a task."""
    await tasks.delete(caller.user_id, task_id)


@router.patch("/{task_id}/complete", responses=_may_be_missing)
async def toggle_task(tasks: Tasks, caller: CurrentPrincipal, task_id: UUID) -> Task:
    """Complete a pending task, or reopen a completed one."""
    return await tasks.toggle(caller.user_id, task_id)
