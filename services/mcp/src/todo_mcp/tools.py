"""The tools that need no confirmation; their docstrings are what a model reads.

No tool has an argument for the user: a tool uses the tasks of the token's user.
"""

from typing import Annotated, Any

from mcp_types import ToolAnnotations
from pydantic import Field

from todo_mcp.authentication import caller
from todo_mcp.backend import Backend
from todo_mcp.confirmation import Clock
from todo_mcp.errors import InvalidArgumentsError
from todo_mcp.schemas import (
    Cursor,
    Description,
    DueDate,
    Flag,
    Limit,
    PriorityArgument,
    Search,
    SortBy,
    SortDir,
    Status,
    Tag,
    Tags,
    Task,
    TaskId,
    TaskList,
    TaskSummary,
    TimeZone,
    Title,
    Version,
)
from todo_mcp.strict_tools import StrictTools
from todo_mcp.summary import summarise, zone_of


def add_reading_tools(tools: StrictTools, backend: Backend, clock: Clock) -> None:
    """Adds the tools that read tasks through `backend`."""
    hints = ToolAnnotations(read_only_hint=True, open_world_hint=False)

    @tools.add(title="List tasks", annotations=hints)
    async def list_tasks(
        *,
        search: Search | None = None,
        status: Annotated[Status | None, Field(description="Only pending or only completed tasks.")] = None,
        priority: Annotated[
            PriorityArgument | None, Field(description="Only tasks of this priority.")
        ] = None,
        tag: Annotated[Tag | None, Field(description="Only tasks with this tag.")] = None,
        sort_by: SortBy = "created_at",
        sort_dir: SortDir = "desc",
        limit: Limit = 50,
        cursor: Cursor | None = None,
    ) -> TaskList:
        """List the user's tasks, newest first unless asked otherwise; filters combine with AND."""
        query = {
            "search": search,
            "status": status,
            "priority": priority,
            "tag": tag,
            "sort_by": sort_by,
            "sort_dir": sort_dir,
            "limit": limit,
            "cursor": cursor,
        }
        return await backend.list_tasks(caller().token, query)

    @tools.add(title="Summarise tasks", annotations=hints)
    async def task_summary(time_zone: TimeZone = "UTC") -> TaskSummary:
        """Count the user's tasks: pending, completed, overdue and due today, and the ones due next."""
        return await summarise(backend, caller().token, clock(), zone_of(time_zone))


def add_writing_tools(tools: StrictTools, backend: Backend) -> None:
    """Adds the tools that create and complete tasks through `backend`."""

    @tools.add(title="Add a task", annotations=_writing(is_idempotent=False))
    async def add_task(
        title: Title,
        description: Description = "",
        priority: PriorityArgument = "medium",
        tags: Tags | None = None,
        due_date: DueDate | None = None,
    ) -> Task:
        """Add a task to the user's list and return it as it was stored."""
        values = {
            "title": title,
            "description": description,
            "priority": priority,
            "tags": tags or [],
            "due_date": due_date.isoformat() if due_date else None,
        }
        return await backend.create_task(caller().token, values)

    @tools.add(title="Complete a task", annotations=_writing(is_idempotent=True))
    async def complete_task(task_id: TaskId) -> Task:
        """Mark a task completed and return it; one that is completed already stays so."""
        return await backend.complete_task(caller().token, task_id)


def add_update_tool(tools: StrictTools, backend: Backend) -> None:
    """Adds the tool that changes a task through `backend`, if it is in the version that was read."""

    @tools.add(title="Update a task", annotations=_writing(is_idempotent=True))
    async def update_task(
        *,
        task_id: TaskId,
        title: Title | None = None,
        description: Description | None = None,
        priority: PriorityArgument | None = None,
        tags: Annotated[Tags | None, Field(description="All tags that the task shall have.")] = None,
        due_date: DueDate | None = None,
        remove_due_date: Annotated[Flag, Field(description="Whether the task shall be due no more.")] = False,
        completed: Annotated[Flag | None, Field(description="False reopens a completed task.")] = None,
        version: Version | None = None,
    ) -> Task:
        """Change a task and return it; what is left out or null stays as it is.

        Pass the version that you have read, so that a change made by somebody else since is not overwritten.
        """
        values: dict[str, Any] = {
            "title": title,
            "description": description,
            "priority": priority,
            "tags": tags,
            "due_date": due_date.isoformat() if due_date else None,
            "completed": completed,
        }
        changes = {name: value for name, value in values.items() if value is not None}
        if remove_due_date:
            if due_date is not None:
                raise InvalidArgumentsError(["due_date and remove_due_date: give only one of them."])
            changes["due_date"] = None
        if not changes:
            raise InvalidArgumentsError([f"Give at least one of {', '.join(values)} or remove_due_date."])
        token = caller().token
        if version is None:
            version = (await backend.get_task(token, task_id)).version
        return await backend.update_task(token, task_id, changes, version)


def _writing(*, is_idempotent: bool) -> ToolAnnotations:
    """Returns the hints of a tool that changes tasks and deletes none."""
    return ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=is_idempotent, open_world_hint=False
    )
