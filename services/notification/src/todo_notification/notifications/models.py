"""The table of notifications."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from todo_kit.data.database import UtcDateTime
from todo_notification.database import Base


class NotificationRecord(Base):
    """A notification of a user.

    `event_id` is the id of its CloudEvent; it is unique, so a repeated event stores no second notification.
    `task_id` is no foreign key: the task belongs to the backend and may be deleted.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        Index("ix_notifications_user", "user_id", "created_at", "id"),
        Index("ix_notifications_unread", "user_id", "created_at", "id", postgresql_where=text("NOT is_read")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(Text, unique=True)
    user_id: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    task_id: Mapped[UUID | None]
    link: Mapped[str | None] = mapped_column(Text)
    is_read: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
