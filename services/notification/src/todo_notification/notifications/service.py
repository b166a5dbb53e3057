"""What can be done with notifications; each method is one transaction."""

import uuid
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from todo_kit.cursors import decode_cursor, encode_cursor, split_page
from todo_kit.data.outbox import enqueue
from todo_kit.events import NotificationCreated
from todo_kit.topics import Topics
from todo_notification.database import outbox
from todo_notification.errors import NotificationNotFoundError
from todo_notification.notifications.models import NotificationRecord
from todo_notification.notifications.position import NotificationPosition
from todo_notification.notifications.repository import NotificationRepository
from todo_notification.notifications.rules import NewNotification
from todo_notification.notifications.schemas import Notification, NotificationPage, NotificationQuery


class NotificationService:
    """Stores notifications and publishes each new one through the outbox."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], topics: Topics) -> None:
        """Works on the database of `sessions` and publishes to `topics`."""
        self._sessions = sessions
        self._topics = topics

    async def add(self, event_id: str, notification: NewNotification) -> bool:
        """Stores the notification of the event `event_id`, and `notification.created` for it in the outbox.

        Returns:
            False, without storing anything, if that event has a notification already.
        """
        async with self._sessions.begin() as session:
            record = await NotificationRepository(session, notification.user_id).add(
                id=uuid.uuid4(),
                event_id=event_id,
                kind=notification.kind,
                title=notification.title,
                task_id=notification.task_id,
                link=notification.link,
                is_read=False,
                created_at=datetime.now(UTC),
            )
            if record is None:
                return False
            await self._enqueue_created(session, record)
            return True

    async def page(self, user_id: str, query: NotificationQuery) -> NotificationPage:
        """Returns a page of the user's notifications; raises `InvalidCursorError`."""
        after = (
            decode_cursor(query.cursor, NotificationPosition, user_id, query)
            if query.cursor is not None
            else None
        )
        async with self._sessions.begin() as session:
            records = await NotificationRepository(session, user_id).page(query, after)
        shown, last = split_page(records, query.limit)
        return NotificationPage(
            items=[Notification.model_validate(record) for record in shown],
            next_cursor=None
            if last is None
            else encode_cursor(NotificationPosition.model_validate(last), user_id, query),
        )

    async def mark_read(self, user_id: str, notification_id: UUID) -> Notification:
        """Marks a notification as read; it may be read already."""
        async with self._sessions.begin() as session:
            record = await NotificationRepository(session, user_id).find(notification_id)
            if record is None:
                raise NotificationNotFoundError(notification_id)
            record.is_read = True
            return Notification.model_validate(record)

    async def mark_all_read(self, user_id: str) -> None:
        """Marks all of the user's notifications as read."""
        async with self._sessions.begin() as session:
            await NotificationRepository(session, user_id).mark_all_read()

    async def count_unread(self, user_id: str) -> int:
        """Counts the user's unread notifications."""
        async with self._sessions.begin() as session:
            return await NotificationRepository(session, user_id).count_unread()

    async def _enqueue_created(self, session: AsyncSession, record: NotificationRecord) -> None:
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
