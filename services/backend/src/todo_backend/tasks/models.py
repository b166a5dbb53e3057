"""The table of tasks."""

from datetime import datetime
from typing import get_args
from uuid import UUID

from sqlalchemy import Enum, Index, Integer, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from todo_backend.database import SCHEMA, Base
from todo_kit.data.database import UtcDateTime
from todo_kit.events import Priority

# PostgreSQL orders the values of an enum as they are declared, so this is also the sort order.
PRIORITIES_ASCENDING = tuple(reversed(get_args(Priority)))


class TaskRecord(Base):
    """A task of a user."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_user", "user_id", "created_at", "id"),
        Index("ix_tasks_user_due_date", "user_id", "due_date", "created_at", "id"),
        Index("ix_tasks_user_priority", "user_id", "priority", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(Text)  # Better Auth's ids are text, not UUIDs
    title: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(String(2000))
    completed: Mapped[bool]
    priority: Mapped[Priority] = mapped_column(Enum(*PRIORITIES_ASCENDING, name="priority", schema=SCHEMA))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    due_date: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Counts the changes, under the row's lock: the clocks of two replicas differ, and this cannot.
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))
