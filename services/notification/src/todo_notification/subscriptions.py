"""Events coming in from the bus, and which of them become a notification.

Delivery is at least once and may be late or out of order; none of that matters here, because each event
stands for itself and is handled once by its id.
"""

from fastapi import FastAPI
from pydantic import ConfigDict, ValidationError

from todo_kit.bus import DropEvent, subscribe
from todo_kit.events import Payload, ReceivedEvent, TaskEvent
from todo_kit.topics import Topics
from todo_notification.metrics import NOTICES
from todo_notification.notifications.notices import (
    Notice,
    ReminderOverdue,
    notice_of_overdue,
    notice_of_task,
)
from todo_notification.notifications.service import NotificationService


class AnyNotificationsEvent(Payload):
    """An event on the topic `notifications`: one of several kinds, our own announcements among them."""

    model_config = ConfigDict(frozen=True, extra="allow")

    event_type: str


class Teller:
    """Has the service tell what an event is worth telling."""

    def __init__(self, notifications: NotificationService) -> None:
        """Tell through `notifications`."""
        self._notifications = notifications

    async def on_task_event(self, event: ReceivedEvent[TaskEvent]) -> None:
        """Tell that a task was completed."""
        notice = notice_of_task(event.data)
        if notice is not None:
            await self._tell(event.id, notice)

    async def on_notifications_event(self, event: ReceivedEvent[AnyNotificationsEvent]) -> None:
        """Tell that a task is overdue. Raises DropEvent for such an event that is malformed."""
        if event.data.event_type != "reminder.overdue":
            return
        try:
            overdue = ReminderOverdue.model_validate(event.data.model_dump())
        except ValidationError as error:
            raise DropEvent(f"reminder.overdue lacks or distorts {error.error_count()} members") from error
        await self._tell(event.id, notice_of_overdue(overdue))

    async def _tell(self, event_id: str, notice: Notice) -> None:
        is_new = await self._notifications.tell(event_id, notice)
        NOTICES.labels(notice.kind, "stored" if is_new else "repeat").inc()


def subscribe_to_events(app: FastAPI, pubsub_name: str, topics: Topics, teller: Teller) -> None:
    """Have both topics of the environment delivered; what cannot be handled goes to the dead letters."""
    subscribe(
        app,
        pubsub_name,
        topics.task_events,
        teller.on_task_event,
        event_model=TaskEvent,
        dead_letter_topic=topics.dead_letters,
    )
    subscribe(
        app,
        pubsub_name,
        topics.notifications,
        teller.on_notifications_event,
        event_model=AnyNotificationsEvent,
        dead_letter_topic=topics.dead_letters,
    )
