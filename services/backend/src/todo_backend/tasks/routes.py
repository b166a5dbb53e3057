"""HTTP interface of tasks, `/api/todos`; the docstrings of routes are their descriptions in OpenAPI."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from todo_backend.errors import TaskChangedError, TaskLimitError, TaskNotFoundError
from todo_backend.tasks.preconditions import Precondition, entity_tag
from todo_backend.tasks.schemas import TagList, TagQuery, Task, TaskPage, TaskPatch, TaskQuery, TaskWrite
from todo_backend.tasks.service import TaskService
from todo_kit.auth import CurrentPrincipal
from todo_kit.problems import (
    ContentTooLargeError,
    MalformedBodyError,
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
_has_body = problem_responses(MalformedBodyError, ContentTooLargeError)
_may_be_missing = problem_responses(TaskNotFoundError)
_may_have_changed = problem_responses(TaskNotFoundError, TaskChangedError)


async def _service(request: Request) -> TaskService:  # a plain function would run in a thread
    service: TaskService = request.app.state.tasks
    return service


Tasks = Annotated[TaskService, Depends(_service)]
IfMatch = Annotated[Precondition, Depends(Precondition.from_header)]


def _tagged(task: Task, response: Response) -> Task:
    """Returns the task, and adds the `ETag` that a later `If-Match` may name."""
    response.headers["ETag"] = entity_tag(task.version)
    return task


@router.get("", responses={200: {"model": TaskPage}})
async def list_tasks(
    tasks: Tasks, caller: CurrentPrincipal, query: Annotated[TaskQuery, Query()]
) -> Response:
    """List the caller's tasks, newest first unless asked otherwise."""
    return Response(await tasks.page(caller.user_id, query), media_type="application/json")


@router.get("/tags")
async def list_tags(tasks: Tasks, caller: CurrentPrincipal, query: Annotated[TagQuery, Query()]) -> TagList:
    """List the tags of the caller's tasks that begin with a prefix, those of most tasks first."""
    return await tasks.tags(caller.user_id, query)


@router.post("", status_code=201, responses=_has_body | problem_responses(TaskLimitError))
async def create_task(tasks: Tasks, caller: CurrentPrincipal, body: TaskWrite, response: Response) -> Task:
    """Create a task."""
    task = await tasks.create(caller.user_id, body)
    response.headers["Location"] = f"{router.prefix}/{task.id}"
    return _tagged(task, response)


@router.get("/{task_id}", responses=_may_be_missing)
async def get_task(tasks: Tasks, caller: CurrentPrincipal, task_id: UUID, response: Response) -> Task:
    """Return one task."""
    return _tagged(await tasks.get(caller.user_id, task_id), response)


@router.put("/{task_id}", responses=_may_have_changed | _has_body)
async def replace_task(
    *,
    tasks: Tasks,
    caller: CurrentPrincipal,
    task_id: UUID,
    body: TaskWrite,
    precondition: IfMatch,
    response: Response,
) -> Task:
    """Replace everything a user may set; what is left out gets its default."""
    return _tagged(await tasks.replace(caller.user_id, task_id, body, precondition), response)


@router.patch("/{task_id}", responses=_may_have_changed | _has_body)
async def update_task(
    *,
    tasks: Tasks,
    caller: CurrentPrincipal,
    task_id: UUID,
    body: TaskPatch,
    precondition: IfMatch,
    response: Response,
) -> Task:
    """Change the members that are sent."""
    return _tagged(await tasks.patch(caller.user_id, task_id, body, precondition), response)


@router.delete("/{task_id}", status_code=204, responses=_may_have_changed)
async def delete_task(tasks: Tasks, caller: CurrentPrincipal, task_id: UUID, precondition: IfMatch) -> None:
    """Delete a task."""
    await tasks.delete(caller.user_id, task_id, precondition)


@router.patch("/{task_id}/complete", responses=_may_have_changed)
async def toggle_task(
    tasks: Tasks, caller: CurrentPrincipal, task_id: UUID, precondition: IfMatch, response: Response
) -> Task:
    """Complete a pending task, or reopen a completed one."""
    return _tagged(await tasks.toggle(caller.user_id, task_id, precondition), response)
