"""The arguments and results of the tools; texts and class docstrings here are part of what a model reads.

Separate from the backend's schemas and from events on purpose: they may change without changing what agents
see.
"""

import re
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, StrictBool, StrictInt

Priority = Literal["high", "medium", "low"]
Status = Literal["pending", "completed"]
SortBy = Literal["created_at", "due_date", "priority"]
SortDir = Literal["asc", "desc"]

_RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def _only_rfc_3339(value: Any) -> Any:
    """Refuses what pydantic would read as a date besides: numbers, and texts that are numbers."""
    if value is not None and not (isinstance(value, str) and _RFC_3339.fullmatch(value)):
        raise ValueError(
            "must be a text with date, time and offset from UTC (RFC 3339), such as 2026-01-31T17:00:00+01:00"
        )
    return value


TaskId = Annotated[UUID, Field(description="The id of the task, from list_tasks.")]
Title = Annotated[str, Field(min_length=1, max_length=255, description="What is to be done.")]
Description = Annotated[str, Field(max_length=2000, description="Details, if there are any.")]
PriorityArgument = Annotated[Priority, Field(description="How important the task is.")]
DueDate = Annotated[
    AwareDatetime,
    BeforeValidator(_only_rfc_3339),
    Field(description="When it is due, with its offset from UTC, such as 2026-01-31T17:00:00+01:00."),
]
Tag = Annotated[str, Field(min_length=1, max_length=50)]
Tags = Annotated[list[Tag], Field(max_length=10, description="Labels of the task, stored in lower case.")]
Search = Annotated[str, Field(max_length=200, description="A part of the title or of the description.")]
Version = Annotated[StrictInt, Field(ge=1, description="The version of the task that you have read.")]
Flag = StrictBool
Limit = Annotated[StrictInt, Field(ge=1, le=100, description="How many tasks the answer has at most.")]
Cursor = Annotated[str, Field(max_length=500, description="The next_cursor of the part before.")]
TimeZone = Annotated[
    str,
    Field(
        max_length=64, description="The user's IANA time zone, such as Europe/Berlin, for what is due today."
    ),
]


class Task(BaseModel):
    """One task of the user. Every change raises `version`."""

    id: UUID
    title: str
    description: str
    completed: bool
    priority: Priority
    tags: list[str] = Field(default_factory=list)  # a backend that is still being replaced has none
    due_date: AwareDatetime | None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    version: int


class TaskList(BaseModel):
    """A part of the user's tasks; `next_cursor` asks for the next part and is null at the end."""

    items: list[Task]
    next_cursor: str | None


class PriorityCounts(BaseModel):
    """How many pending tasks have each priority."""

    high: int = 0
    medium: int = 0
    low: int = 0


class TaskSummary(BaseModel):
    """How many tasks there are. A task that is overdue does not count as due today as well."""

    pending: int
    completed: int
    overdue: int
    due_today: int
    pending_by_priority: PriorityCounts
    next_due: list[Task] = Field(description="The pending tasks that are due first, overdue ones included.")
    is_complete: bool = Field(description="False if there are more tasks than were counted.")
