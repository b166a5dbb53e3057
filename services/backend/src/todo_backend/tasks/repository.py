"""Reads and writes tasks, always of one user; nothing else accesses their table."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Text, cast, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from todo_backend.tasks.models import TaskRecord
from todo_backend.tasks.position import TaskPosition
from todo_backend.tasks.schemas import Task, TaskQuery
from todo_kit.data.database import UtcDateTime

_COLUMNS = [getattr(TaskRecord, name) for name in Task.model_fields]


class TaskRepository:
    """The tasks of one user: no method can access those of another user."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        """Works inside the session's transaction."""
        self._session = session
        self._user_id = user_id

    async def find(self, task_id: UUID, *, for_update: bool = False) -> TaskRecord | None:
        """Returns the task or None; `for_update` makes its other writers wait for this transaction."""
        mine = select(TaskRecord).where(TaskRecord.id == task_id, TaskRecord.user_id == self._user_id)
        record: TaskRecord | None = await self._session.scalar(mine.with_for_update() if for_update else mine)
        return record

    async def add(self, record: TaskRecord) -> None:
        """Stores a new task of the user."""
        record.user_id = self._user_id
        self._session.add(record)
        await self._session.flush()

    async def delete(self, record: TaskRecord) -> None:
        """Deletes a task that `find` returned."""
        await self._session.delete(record)
        await self._session.flush()

    async def page(self, query: TaskQuery, after: TaskPosition | None) -> Sequence[Row[Any]]:
        """Returns at most `query.limit` + 1 rows after `after`; the extra row shows that more follow.

        Rows have the fields of `Task`. They are not models, which would make this hot path several times
        slower.
        """
        statement = select(*_COLUMNS).where(TaskRecord.user_id == self._user_id)
        if query.status is not None:
            statement = statement.where(TaskRecord.completed.is_(query.status == "completed"))
        if query.priority is not None:
            statement = statement.where(TaskRecord.priority == query.priority)
        sort_key = _sort_key(query, TaskRecord.due_date, TaskRecord.priority)
        key = [*sort_key, TaskRecord.created_at, TaskRecord.id]
        is_descending = query.sort_dir == "desc"
        if after is not None:
            due_date = literal(after.due_date, UtcDateTime)
            priority = literal(after.priority, TaskRecord.priority.type)
            last_sort_key = _sort_key(query, due_date, priority)
            last_key = [*last_sort_key, literal(after.created_at), literal(after.id)]
            row, last = tuple_(*key), tuple_(*last_key)
            statement = statement.where(row < last if is_descending else row > last)
        order = [column.desc() if is_descending else column.asc() for column in key]
        return (await self._session.execute(statement.order_by(*order).limit(query.limit + 1))).all()


def _sort_key(query: TaskQuery, due_date: Any, priority: Any) -> list[ColumnElement[Any]]:
    """Returns what rows are sorted by before (created_at, id); rows without a due date are last."""
    if query.sort_by == "priority":
        return [priority]
    if query.sort_by == "due_date":
        never = "-infinity" if query.sort_dir == "desc" else "infinity"
        return [func.coalesce(due_date, cast(literal(never, Text), UtcDateTime))]
    return []
