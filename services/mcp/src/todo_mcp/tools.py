"""The tools; their docstrings are what a model reads.

No tool has an argument for the user: a tool uses the tasks of the token's user.
"""

from typing import Annotated
from uuid import UUID

from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp_types import ToolAnnotations
from pydantic import Field

from todo_mcp.backend import Backend
from todo_mcp.schemas import (
    DescriptionArgument,
    DueDateArgument,
    PriorityArgument,
    SortByArgument,
    SortDirArgument,
    StatusArgument,
    Task,
    TaskList,
    TitleArgument,
)

INSTRUCTIONS = """The signed-in user's to-do list. Refer to tasks by the ids that list_tasks returns; when a
name fits several tasks, ask the user which one is meant."""


def register_tools(server: MCPServer, backend: Backend) -> None:
    """Registers the tools on `server`; they read and change tasks through `backend`."""

    @server.tool(
        title="Add a task",
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
        ),
    )
    async def add_task(
        title: TitleArgument,
        description: DescriptionArgument = "",
        priority: PriorityArgument = "medium",
        due_date: DueDateArgument | None = None,
    ) -> Task:
        """Add a task to the user's list and return it as it was stored."""
        values = {
            "title": title,
            "description": description,
            "priority": priority,
            "due_date": due_date.isoformat() if due_date else None,
        }
        return await backend.create_task(_token(), values)

    @server.tool(title="List tasks", annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))
    async def list_tasks(
        *,
        status: Annotated[
            StatusArgument | None, Field(description="Only pending or only completed tasks.")
        ] = None,
        priority: Annotated[
            PriorityArgument | None, Field(description="Only tasks of this priority.")
        ] = None,
        sort_by: SortByArgument = "created_at",
        sort_dir: SortDirArgument = "desc",
        limit: Annotated[int, Field(ge=1, le=100)] = 50,
        cursor: Annotated[str | None, Field(description="The next_cursor of the part before.")] = None,
    ) -> TaskList:
        """List the user's tasks, newest first unless asked otherwise; filters combine with AND."""
        query = {
            "status": status,
            "priority": priority,
            "sort_by": sort_by,
            "sort_dir": sort_dir,
            "limit": limit,
            "cursor": cursor,
        }
        return await backend.list_tasks(_token(), query)

    @server.tool(
        title="Complete a task",
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )
    async def complete_task(
        task_id: Annotated[UUID, Field(description="The id of the task, from list_tasks.")],
    ) -> Task:
        """Mark a task completed and return it; one that is completed already stays so."""
        return await backend.complete_task(_token(), task_id)


def _token() -> str:
    access = get_access_token()
    if access is None:
        raise RuntimeError("a tool ran without a verified token: is it served without authentication?")
    return access.token
