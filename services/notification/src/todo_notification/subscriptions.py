"""Handles the events that come in from the bus.

Events are delivered at least once, maybe late or out of order. That does no harm: an event is handled
independently of all others, and its id shows whether it was handled before.
"""

from fastapi import FastAPI
from pydantic import ConfigDict, SecretStr, ValidationError

from todo_kit.bus import DropEvent, subscribe
from todo_kit.events import Payload, ReceivedEvent, TaskEvent
from todo_kit.topics import Topics
from todo_notification.metrics import NOTICES
from todo_notification.notifications.rules import (
    NewNotification,
    ReminderOverdue,
    notification_of_change,
    notification_of_reminder,
)
from todo_notification.notifications.service import NotificationService


class NotificationsTopicEvent(Payload):
    """An event on the topic `notifications`: a reminder, or one that this service published itself."""

    model_config = ConfigDict(frozen=True, extra="allow")

    event_type: str


class EventHandlers:
    """Store a notification for each event that the rules make one of."""

    def __init__(self, notifications: NotificationService) -> None:
        """Stores notifications through `notifications`."""
        self._notifications = notifications

    async def on_task_event(self, event: ReceivedEvent[TaskEvent]) -> None:
        """Stores the notification of a completed task."""
        notification = notification_of_change(event.data)
        if notification is not None:
            await self._store(event.id, notification)

    async def on_notifications_event(self, event: ReceivedEvent[NotificationsTopicEvent]) -> None:
        """Stores the notification of an overdue task; raises DropEvent for a malformed reminder."""
        if event.data.event_type != "reminder.overdue":
            return
        try:
            overdue = ReminderOverdue.model_validate(event.data.model_dump())
        except ValidationError as error:
            raise DropEvent(
                f"{error.error_count()} members of reminder.overdue are missing or invalid"
            ) from error
        await self._store(event.id, notification_of_reminder(overdue))

    async def _store(self, event_id: str, notification: NewNotification) -> None:
        is_new = await self._notifications.add(event_id, notification)
        NOTICES.labels(notification.kind, "stored" if is_new else "repeat").inc()


def subscribe_to_events(
    app: FastAPI, pubsub_name: str, topics: Topics, handlers: EventHandlers, *, app_token: SecretStr
) -> None:
    """Subscribes to both topics of the environment; events that cannot be handled become dead letters."""
    subscribe(
        app,
        pubsub_name,
        topics.task_events,
        handlers.on_task_event,
        app_token=app_token,
        event_model=TaskEvent,
        dead_letter_topic=topics.dead_letters,
    )
    subscribe(
        app,
        pubsub_name,
        topics.notifications,
        handlers.on_notifications_event,
        app_token=app_token,
        event_model=NotificationsTopicEvent,
        dead_letter_topic=topics.dead_letters,
    )
