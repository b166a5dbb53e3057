"""The JSON of the HTTP interface; class docstrings are descriptions in OpenAPI."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
)
from pydantic.config import JsonDict

from todo_backend.tasks.texts import Description, DocumentedPattern, Search, Tag, TagPrefix, Tags, Title
from todo_kit.events import Priority, TaskSnapshot

FIRST_DUE_YEAR, LAST_DUE_YEAR = 1970, 2999
DUE_PATTERN = r"^(19[7-9]\d|2\d{3})-"  # the same years


def _refuse_numbers(value: Any) -> Any:
    if isinstance(value, (int, float)):  # pydantic would read one as seconds since 1970
        raise ValueError("must be an RFC 3339 string such as 2026-01-31T12:00:00Z")
    return value


def _to_utc(instant: datetime) -> datetime:
    if not FIRST_DUE_YEAR <= instant.year <= LAST_DUE_YEAR:  # within these years no offset overflows
        raise ValueError(f"must lie in the years {FIRST_DUE_YEAR} to {LAST_DUE_YEAR}")
    return instant.astimezone(UTC)


DueDate = Annotated[
    AwareDatetime,
    BeforeValidator(_refuse_numbers),
    AfterValidator(_to_utc),
    DocumentedPattern(DUE_PATTERN),
]

Status = Literal["pending", "completed"]
SortBy = Literal["created_at", "due_date", "priority"]
SortDir = Literal["asc", "desc"]


def _absent() -> Any:
    """Declares a member that may be left out, but may not be null."""
    return Field(default=None, json_schema_extra=_drop_default)


def _drop_default(schema: JsonDict) -> None:
    del schema["default"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")  # a caller must learn that user_id has no effect


class TaskWrite(_Body):
    """A whole task as a user writes it: to create one, or to replace one."""

    title: Title
    description: Description = ""
    completed: StrictBool = False
    priority: Priority = "medium"
    tags: Tags = Field(default_factory=list)
    due_date: DueDate | None = None


class TaskPatch(_Body):
    """The members to change; those that are left out stay, and only `due_date` may be null."""

    title: Title = _absent()
    description: Description = _absent()
    completed: StrictBool = _absent()
    priority: Priority = _absent()
    tags: Tags = _absent()
    due_date: DueDate | None = _absent()


class Task(TaskSnapshot):
    """A task as it is stored, the same in answers and in events; a change raises `version` by one or more."""

    tags: list[str]
    version: int

    model_config = ConfigDict(from_attributes=True)


class TaskPage(BaseModel):
    """A part of a list; `next_cursor` asks for the next part and is null at the end."""

    items: list[Task]
    next_cursor: str | None


class TaskQuery(BaseModel):
    """Which tasks a list has, and in which order; filters combine with AND.

    `search` is a part of the title or of the description, in upper or lower case.
    """

    search: Search | None = None
    status: Status | None = None
    priority: Priority | None = None
    tag: Tag | None = None
    sort_by: SortBy = "created_at"
    sort_dir: SortDir = "desc"
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str | None, Field(max_length=500)] = None


class TagList(BaseModel):
    """Tags of the caller's tasks, those of most tasks first."""

    items: list[str]


class TagQuery(BaseModel):
    """Which tags are asked for, to complete what a user types."""

    prefix: TagPrefix = ""
    limit: Annotated[int, Field(ge=1, le=100)] = 20
