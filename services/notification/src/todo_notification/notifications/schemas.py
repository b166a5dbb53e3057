"""What goes over HTTP: notifications, and the parameters of a list."""

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Notification(BaseModel):
    """One thing that the user was told. `kind` is the type of the event that it tells of."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: str
    title: str
    task_id: UUID | None
    link: str | None
    is_read: bool
    created_at: AwareDatetime


class NotificationPage(BaseModel):
    """A part of a list, newest first; `next_cursor` asks for the next part and is null at the end."""

    items: list[Notification]
    next_cursor: UUID | None


class UnreadCount(BaseModel):
    """How many notifications the user has not read."""

    count: int


class NotificationQuery(BaseModel):
    """Which notifications a list has. `cursor` is the `next_cursor` of the part before."""

    unread_only: bool = False
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: UUID | None = None
