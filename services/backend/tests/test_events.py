"""The events that the backend publishes for changes of tasks."""

from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from todo_backend.database import outbox
from todo_kit.events import TaskEvent
from todo_kit.testing import MemoryPublisher, wait_until


async def events_of(publisher: MemoryPublisher, count: int) -> list[TaskEvent]:
    """Waits for `count` events and returns them, parsed as consumers parse them."""
    await wait_until(lambda: len(publisher.published) >= count)
    return [TaskEvent.model_validate_json(event.data) for event in publisher.published]


async def test_changes_of_a_task_are_published_in_order(
    alice: httpx2.AsyncClient, publisher: MemoryPublisher
) -> None:
    """Each change is one event with the task as it was after the change, and the old and new values."""
    created = (await alice.post("/api/todos", json={"title": "A"})).json()
    path = f"/api/todos/{created['id']}"
    await alice.patch(path, json={"title": "B", "due_date": "2027-01-01T00:00:00Z"})
    await alice.patch(f"{path}/complete")
    await alice.patch(f"{path}/complete")
    await alice.delete(path)

    events = await events_of(publisher, 5)
    assert [event.event_type for event in events] == [
        "task.created",
        "task.updated",
        "task.completed",
        "task.updated",
        "task.deleted",
    ]
    assert [event.changed_fields and _plain(event.changed_fields) for event in events] == [
        None,
        {"title": ("A", "B"), "due_date": (None, "2027-01-01T00:00:00Z")},
        {"completed": (False, True)},
        {"completed": (True, False)},
        None,
    ]
    assert [event.task and (event.task.title, event.task.completed) for event in events] == [
        ("A", False),
        ("B", False),
        ("B", True),
        ("B", False),
        None,
    ]
    assert {(event.task_id, event.user_id) for event in events} == {(UUID(created["id"]), "alice")}
    assert events[0].task is not None
    assert events[0].task.model_dump(mode="json") == created


async def test_events_carry_topic_type_and_the_user_as_key(
    alice: httpx2.AsyncClient, publisher: MemoryPublisher
) -> None:
    """The topic has the environment's prefix, and the key is the user, so a user's events stay in order."""
    await alice.post("/api/todos", json={"title": "A"})
    await events_of(publisher, 1)
    sent = publisher.published[0]
    assert (sent.topic, sent.event_type, sent.key) == ("test-task-events", "task.created", "alice")


async def test_put_that_completes_is_a_completion(
    alice: httpx2.AsyncClient, publisher: MemoryPublisher
) -> None:
    """Completion by any route is the same event, which holds the other changes of the request too."""
    created = (await alice.post("/api/todos", json={"title": "A"})).json()
    await alice.put(f"/api/todos/{created['id']}", json={"title": "B", "completed": True})
    event = (await events_of(publisher, 2))[1]
    assert event.event_type == "task.completed"
    assert event.changed_fields is not None
    assert set(event.changed_fields) == {"title", "completed"}


async def test_refused_and_empty_changes_leave_no_event(
    alice: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """A request that changes no task publishes nothing."""
    created = (await alice.post("/api/todos", json={"title": "A"})).json()
    await alice.patch(f"/api/todos/{created['id']}", json={"title": ""})
    await alice.patch(f"/api/todos/{created['id']}", json={"title": "A"})
    await alice.delete("/api/todos/6f8f6b0e-0000-4000-8000-000000000000")
    async with engine.connect() as connection:
        assert (await connection.execute(select(func.count()).select_from(outbox.events))).scalar_one() == 1


async def test_bus_outage_delays_events_and_not_requests(
    alice: httpx2.AsyncClient, publisher: MemoryPublisher
) -> None:
    """Requests succeed while the bus does not answer; their events are published when it does."""
    publisher.is_failing = True
    titles = [f"Task {number}" for number in range(5)]
    assert [(await alice.post("/api/todos", json={"title": title})).status_code for title in titles] == [
        201
    ] * 5
    assert publisher.published == []
    publisher.is_failing = False
    events = await events_of(publisher, 5)
    assert [event.task and event.task.title for event in events] == titles


def _plain(changed: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (change.old, change.new) for name, change in changed.items()}
