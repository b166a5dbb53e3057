"""The arguments and results of the tools; texts and class docstrings here are part of what a model reads.

Separate from the backend's schemas on purpose: the backend may change its API without changing what agents
see.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from todo_kit.events import Priority, TaskSnapshot

TitleArgument = Annotated[str, Field(min_length=1, max_length=255, description="What is to be done.")]
DescriptionArgument = Annotated[str, Field(max_length=2000, description="Details, if there are any.")]
PriorityArgument = Annotated[Priority, Field(description="How important the task is.")]
DueDateArgument = Annotated[
    AwareDatetime,
    Field(description="When it is due, with its offset from UTC, such as 2026-01-31T17:00:00+01:00."),
]
StatusArgument = Literal["pending", "completed"]
SortByArgument = Literal["created_at", "due_date", "priority"]
SortDirArgument = Literal["asc", "desc"]


class Task(TaskSnapshot):
    """One task of the user."""


class TaskList(BaseModel):
    """A part of the user's tasks; `next_cursor` asks for the next part and is null at the end."""

    items: list[Task]
    next_cursor: str | None
