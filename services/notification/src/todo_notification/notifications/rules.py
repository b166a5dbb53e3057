"""Decides which events become a notification, and with which text. Pure: no input or output."""

from dataclasses import dataclass
from uuid import UUID

from pydantic import AwareDatetime, Field

from todo_kit.events import Payload, TaskEvent


class ReminderOverdue(Payload):
    """A task was not completed by its due date, on the topic `notifications`; the key is the user id."""

    task_id: UUID
    user_id: str = Field(min_length=1)
    title: str
    due_date: AwareDatetime
    link: str | None = None


@dataclass(frozen=True)
class NewNotification:
    """A notification to store for one user; `kind` is the type of its event."""

    user_id: str
    kind: str
    title: str
    task_id: UUID
    link: str | None = None


def notification_of_change(event: TaskEvent) -> NewNotification | None:
    """Returns the notification of a completed task, and None for all other changes."""
    if event.event_type != "task.completed" or event.task is None:
        return None
    title = f"Completed “{event.task.title}”"
    return NewNotification(event.user_id, event.event_type, title, event.task_id)


def notification_of_reminder(event: ReminderOverdue) -> NewNotification:
    """Returns the notification of an overdue task."""
    title = f"Overdue: “{event.title}”"
    return NewNotification(event.user_id, "reminder.overdue", title, event.task_id, event.link)
