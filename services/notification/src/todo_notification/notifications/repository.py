"""Reads and writes notifications, always of one user; nothing else accesses their table."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from todo_notification.notifications.models import NotificationRecord
from todo_notification.notifications.position import NotificationPosition
from todo_notification.notifications.schemas import NotificationQuery


class NotificationRepository:
    """The notifications of one user: no method can access those of another user."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        """Works inside the session's transaction."""
        self._session = session
        self._user_id = user_id

    async def add(self, **values: object) -> NotificationRecord | None:
        """Stores a notification of the user; returns None when its event has a notification already.

        When two transactions add a notification of the same event, the second waits for the first, and only
        one stores it.
        """
        statement = (
            insert(NotificationRecord)
            .values(user_id=self._user_id, **values)
            .on_conflict_do_nothing(index_elements=[NotificationRecord.event_id])
            .returning(NotificationRecord)
        )
        record: NotificationRecord | None = await self._session.scalar(statement)
        return record

    async def find(self, notification_id: UUID) -> NotificationRecord | None:
        """Returns the notification or None."""
        mine = select(NotificationRecord).where(
            NotificationRecord.id == notification_id, NotificationRecord.user_id == self._user_id
        )
        record: NotificationRecord | None = await self._session.scalar(mine)
        return record

    async def page(
        self, query: NotificationQuery, after: NotificationPosition | None
    ) -> Sequence[NotificationRecord]:
        """Returns at most `query.limit` + 1 records, newest first; the extra one shows that more follow."""
        order = (NotificationRecord.created_at, NotificationRecord.id)
        statement = select(NotificationRecord).where(NotificationRecord.user_id == self._user_id)
        if query.unread_only:
            statement = statement.where(~NotificationRecord.is_read)
        if after is not None:
            statement = statement.where(tuple_(*order) < (after.created_at, after.id))
        newest_first = statement.order_by(*(column.desc() for column in order)).limit(query.limit + 1)
        return (await self._session.scalars(newest_first)).all()

    async def mark_all_read(self) -> None:
        """Marks the notifications that are unread now as read."""
        await self._session.execute(
            update(NotificationRecord)
            .where(NotificationRecord.user_id == self._user_id, ~NotificationRecord.is_read)
            .values(is_read=True)
        )

    async def count_unread(self) -> int:
        """Counts the unread notifications."""
        unread = select(func.count()).where(
            NotificationRecord.user_id == self._user_id, ~NotificationRecord.is_read
        )
        return await self._session.scalar(unread) or 0
