"""Says which service the shared fixtures run, and adds the bus that delivers events to it."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI

from todo_kit.data.fixtures import *  # noqa: F403  # pytest finds fixtures by their names in this module
from todo_kit.data.fixtures import ServiceUnderTest
from todo_kit.events import FieldChange, TaskEvent, TaskSnapshot
from todo_kit.testing import MemoryPublisher
from todo_notification.app import create_app
from todo_notification.database import Base
from todo_notification.settings import Settings

PATH = "/api/notifications"


class Bus:
    """Delivers events of other services to the application, as daprd does."""

    def __init__(self, app: FastAPI) -> None:
        """Delivers to `app`; `outcomes` holds its answers."""
        self._publisher = MemoryPublisher(app)
        self.outcomes = self._publisher.outcomes

    async def task_completed(
        self, user_id: str, *, title: str = "Milk", event_id: str | None = None, task_id: UUID | None = None
    ) -> None:
        """Delivers the event of a completed task of the user."""
        change = {"completed": FieldChange(old=False, new=True)}
        await self.task_event(
            user_id, "task.completed", title, changed_fields=change, event_id=event_id, task_id=task_id
        )

    async def task_event(
        self,
        user_id: str,
        event_type: str,
        title: str | None,
        *,
        changed_fields: dict[str, FieldChange] | None,
        event_id: str | None = None,
        task_id: UUID | None = None,
    ) -> None:
        """Delivers the event of a change of a task; without a title the task was deleted."""
        task_id = task_id or uuid4()
        now = datetime.now(UTC)
        task = title and TaskSnapshot(
            id=task_id,
            title=title,
            description="",
            completed=event_type == "task.completed",
            priority="low",
            due_date=None,
            created_at=now,
            updated_at=now,
        )
        event = TaskEvent.model_validate(
            {
                "event_type": event_type,
                "task_id": task_id,
                "user_id": user_id,
                "task": task or None,
                "changed_fields": changed_fields,
            }
        )
        await self.deliver("test-task-events", event_type, event.to_json(), event_id)

    async def deliver(self, topic: str, event_type: str, data: bytes, event_id: str | None = None) -> None:
        """Delivers any payload."""
        event_id = event_id or str(uuid4())
        await self._publisher.publish(topic, data, event_id=event_id, event_type=event_type, key="key")


@pytest.fixture(scope="session")
def service() -> ServiceUnderTest:
    """Returns what the fixtures need to know of the notification service."""
    return ServiceUnderTest("todo_notification", Base.metadata, Settings, create_app)


@pytest.fixture
def bus(app: FastAPI) -> Bus:
    """Returns the bus that delivers to the application."""
    return Bus(app)
