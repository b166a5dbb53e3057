"""What a user is told, and of which events: the rules of the service, free of any input or output."""

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
class Notice:
    """Something to tell one user. `kind` is the type of the event that it tells of."""

    user_id: str
    kind: str
    title: str
    task_id: UUID
    link: str | None = None


def notice_of_task(event: TaskEvent) -> Notice | None:
    """Return what to tell of a changed task: that it was completed, and of other changes nothing."""
    if event.event_type != "task.completed" or event.task is None:
        return None
    title = f"Completed “{event.task.title}”"
    return Notice(event.user_id, event.event_type, title, event.task_id)


def notice_of_overdue(event: ReminderOverdue) -> Notice:
    """Return what to tell of a task that is overdue."""
    return Notice(event.user_id, "reminder.overdue", f"Overdue: “{event.title}”", event.task_id, event.link)
