"""What can be done with notifications. Each method is one transaction."""

import uuid
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from todo_kit.events import NotificationCreated
from todo_kit.outbox import enqueue
from todo_kit.topics import Topics
from todo_notification.database import outbox
from todo_notification.errors import InvalidCursorError, NotificationNotFoundError
from todo_notification.notifications.models import NotificationRecord
from todo_notification.notifications.notices import Notice
from todo_notification.notifications.repository import NotificationRepository
from todo_notification.notifications.schemas import Notification, NotificationPage, NotificationQuery


class NotificationService:
    """Keeps notifications and tells of each new one through the outbox."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], topics: Topics) -> None:
        """Work on the database of `sessions` and publish to `topics`."""
        self._sessions = sessions
        self._topics = topics

    async def tell(self, event_id: str, notice: Notice) -> bool:
        """Store what the event `event_id` tells the user, and its `notification.created` with it.

        Returns False, and does neither, when that was done before.
        """
        async with self._sessions.begin() as session:
            record = await NotificationRepository(session, notice.user_id).add(
                id=uuid.uuid4(),
                event_id=event_id,
                kind=notice.kind,
                title=notice.title,
                task_id=notice.task_id,
                link=notice.link,
                is_read=False,
                created_at=datetime.now(UTC),
            )
            if record is None:
                return False
            await self._announce(session, record)
            return True

    async def page(self, user_id: str, query: NotificationQuery) -> NotificationPage:
        """Return a part of the user's notifications; raises `InvalidCursorError`."""
        async with self._sessions.begin() as session:
            repository = NotificationRepository(session, user_id)
            after = None
            if query.cursor is not None:
                after = await repository.find(query.cursor)
                if after is None:
                    raise InvalidCursorError
            records = await repository.page(query, after)
        shown = records[: query.limit]
        return NotificationPage(
            items=[Notification.model_validate(record) for record in shown],
            next_cursor=shown[-1].id if len(records) > len(shown) else None,
        )

    async def mark_read(self, user_id: str, notification_id: UUID) -> Notification:
        """Mark one notification read; one that is read already stays so."""
        async with self._sessions.begin() as session:
            record = await NotificationRepository(session, user_id).find(notification_id)
            if record is None:
                raise NotificationNotFoundError(notification_id)
            record.is_read = True
            return Notification.model_validate(record)

    async def mark_all_read(self, user_id: str) -> None:
        """Mark all of the user's notifications read."""
        async with self._sessions.begin() as session:
            await NotificationRepository(session, user_id).mark_all_read()

    async def count_unread(self, user_id: str) -> int:
        """Count what the user has not read."""
        async with self._sessions.begin() as session:
            return await NotificationRepository(session, user_id).count_unread()

    async def _announce(self, session: AsyncSession, record: NotificationRecord) -> None:
        event = NotificationCreated(
            notification_id=record.id,
            user_id=record.user_id,
            kind=record.kind,
            title=record.title,
            task_id=record.task_id,
            link=record.link,
            created_at=record.created_at,
        )
        await enqueue(
            session,
            outbox,
            topic=self._topics.notifications,
            event_type=event.event_type,
            key=event.user_id,
            payload=event.to_json(),
        )
