"""Reads and writes tasks, always of one user.

Only `hot_paths` accesses their table too: it lists and creates.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from todo_backend.tasks.listing import tags_of_user
from todo_backend.tasks.models import TaskRecord
from todo_backend.tasks.schemas import TagQuery


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

    async def delete(self, record: TaskRecord) -> None:
        """Deletes a task that `find` returned."""
        await self._session.delete(record)
        await self._session.flush()

    async def tags(self, query: TagQuery) -> Sequence[str]:
        """Returns tags of the user, those of most tasks first."""
        return (await self._session.scalars(tags_of_user(self._user_id, query))).all()
