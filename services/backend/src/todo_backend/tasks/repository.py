"""Reads and writes tasks, always of one user; nothing else accesses their table."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from todo_backend.tasks.listing import page_of_tasks, tags_of_user
from todo_backend.tasks.models import TaskRecord
from todo_backend.tasks.position import TaskPosition
from todo_backend.tasks.schemas import TagQuery, TaskQuery


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
        return (await self._session.execute(page_of_tasks(self._user_id, query, after))).all()

    async def tags(self, query: TagQuery) -> Sequence[str]:
        """Returns tags of the user, those of most tasks first."""
        return (await self._session.scalars(tags_of_user(self._user_id, query))).all()

    async def has_at_least(self, count: int) -> bool:
        """Says whether the user has so many tasks; reads the index only, and no further than that."""
        nth = select(literal(1)).where(TaskRecord.user_id == self._user_id).offset(count - 1).limit(1)
        return await self._session.scalar(nth) is not None
