"""The JSON of the HTTP interface."""

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Notification(BaseModel):
    """A notification of the user; `kind` is the type of its event."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: str
    title: str
    task_id: UUID | None
    link: str | None
    is_read: bool
    created_at: AwareDatetime


class NotificationPage(BaseModel):
    """A page of a list, newest first; `next_cursor` requests the next page and is null at the end."""

    items: list[Notification]
    next_cursor: str | None


class UnreadCount(BaseModel):
    """The number of notifications that the user has not read."""

    count: int


class NotificationQuery(BaseModel):
    """Which notifications a list contains; `cursor` is the `next_cursor` of the page before."""

    unread_only: bool = False
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str | None, Field(max_length=500)] = None
