"""Which events become a notification, and that each is stored and published once."""

import asyncio
import json
from uuid import uuid4

import httpx2
import pytest

from todo_kit.events import FieldChange, NotificationCreated
from todo_kit.testing import MemoryPublisher, wait_until

from .conftest import PATH, Bus

OVERDUE = {
    "event_type": "reminder.overdue",
    "task_id": str(uuid4()),
    "user_id": "alice",
    "title": "Taxes",
    "due_date": "2026-05-31T12:00:00Z",
    "link": "/?task=taxes",
}


async def items_of(client: httpx2.AsyncClient) -> list[dict[str, object]]:
    """Returns the newest notifications of the client's user."""
    items: list[dict[str, object]] = (await client.get(PATH)).json()["items"]
    return items


async def test_completed_task_gives_only_its_user_a_notification(
    bus: Bus, alice: httpx2.AsyncClient, bob: httpx2.AsyncClient
) -> None:
    """The task's user has one unread notification, and another user has none."""
    task_id = uuid4()
    await bus.task_completed("alice", title="Milk", task_id=task_id)
    (notification,) = await items_of(alice)
    assert notification["kind"] == "task.completed"
    assert notification["title"] == "Completed “Milk”"
    assert notification["task_id"] == str(task_id)
    assert notification["is_read"] is False
    assert await items_of(bob) == []


async def test_stored_notification_is_published_for_the_gateway(
    bus: Bus, alice: httpx2.AsyncClient, publisher: MemoryPublisher
) -> None:
    """The event has the content of the list, the environment's topic, and the user as its key."""
    await bus.task_completed("alice")
    await wait_until(lambda: publisher.published)
    (published,) = publisher.published
    (stored,) = await items_of(alice)
    assert (published.topic, published.event_type) == ("test-notifications", "notification.created")
    assert published.key == "alice"
    payload = NotificationCreated.model_validate_json(published.data).model_dump(mode="json")
    assert payload == {
        "event_type": "notification.created",
        "user_id": "alice",
        "sequence": 1,
        "notification_id": stored["id"],
    } | {name: stored[name] for name in ("kind", "title", "task_id", "link", "created_at")}


async def test_event_delivered_again_gives_one_notification(
    bus: Bus, alice: httpx2.AsyncClient, publisher: MemoryPublisher
) -> None:
    """Repeated deliveries, concurrent or later, store and publish one notification."""
    await asyncio.gather(*(bus.task_completed("alice", event_id="e-1") for _ in range(4)))
    await bus.task_completed("alice", event_id="e-1")
    await bus.task_completed("alice", event_id="e-2", title="Last")
    await wait_until(lambda: len(publisher.published) >= 2)
    assert bus.outcomes == ["SUCCESS"] * 6
    assert [item["title"] for item in await items_of(alice)] == ["Completed “Last”", "Completed “Milk”"]
    assert len(publisher.published) == 2


async def test_failure_to_enqueue_stores_nothing_and_the_next_delivery_succeeds(
    bus: Bus, alice: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notification that cannot be put into the outbox is not stored, so a repeated event does both."""

    async def fail(*_args: object, **_kwargs: object) -> None:
        raise ConnectionError("the database went away")

    with monkeypatch.context() as patch:
        patch.setattr("todo_notification.notifications.service.enqueue", fail)
        await bus.task_completed("alice", event_id="e-1")
    assert await items_of(alice) == []
    await bus.task_completed("alice", event_id="e-1")
    assert bus.outcomes == ["RETRY", "SUCCESS"]
    assert len(await items_of(alice)) == 1


@pytest.mark.parametrize(
    ("event_type", "title", "changed_fields"),
    [
        ("task.created", "Milk", None),
        ("task.updated", "Milk", {"completed": FieldChange(old=True, new=False)}),
        ("task.deleted", None, None),
    ],
)
async def test_other_change_of_a_task_gives_no_notification(
    bus: Bus,
    alice: httpx2.AsyncClient,
    event_type: str,
    title: str | None,
    changed_fields: dict[str, FieldChange] | None,
) -> None:
    """Creating, reopening and deleting a task give no notification."""
    await bus.task_event("alice", event_type, title, changed_fields=changed_fields)
    assert bus.outcomes == ["SUCCESS"]
    assert await items_of(alice) == []


async def test_notification_survives_the_deletion_of_its_task(bus: Bus, alice: httpx2.AsyncClient) -> None:
    """A notification stays when its task is deleted."""
    task_id = uuid4()
    await bus.task_completed("alice", task_id=task_id)
    await bus.task_event("alice", "task.deleted", None, changed_fields=None, task_id=task_id)
    (notification,) = await items_of(alice)
    assert notification["task_id"] == str(task_id)


async def test_overdue_task_gives_a_notification(bus: Bus, alice: httpx2.AsyncClient) -> None:
    """A reminder becomes a notification with the reminder's link."""
    await bus.deliver("test-notifications", "reminder.overdue", json.dumps(OVERDUE).encode())
    (notification,) = await items_of(alice)
    assert notification["kind"] == "reminder.overdue"
    assert notification["title"] == "Overdue: “Taxes”"
    assert (notification["task_id"], notification["link"]) == (OVERDUE["task_id"], OVERDUE["link"])


async def test_malformed_reminder_is_dropped(bus: Bus, alice: httpx2.AsyncClient) -> None:
    """A reminder without a task id goes to the dead letters."""
    broken = {name: value for name, value in OVERDUE.items() if name != "task_id"}
    await bus.deliver("test-notifications", "reminder.overdue", json.dumps(broken).encode())
    assert bus.outcomes == ["DROP"]
    assert await items_of(alice) == []


async def test_own_event_is_ignored(bus: Bus, alice: httpx2.AsyncClient, publisher: MemoryPublisher) -> None:
    """The service receives its own events, which must not cause another notification."""
    await bus.task_completed("alice")
    await wait_until(lambda: publisher.published)
    (own,) = publisher.published
    await bus.deliver(own.topic, own.event_type, own.data, own.event_id)
    assert bus.outcomes == ["SUCCESS", "SUCCESS"]
    assert len(await items_of(alice)) == 1


async def test_notifications_are_counted_by_outcome(bus: Bus, alice: httpx2.AsyncClient) -> None:
    """Operators see how many notifications were stored and how many events were repeated."""
    for _ in range(2):
        await bus.task_completed("alice", event_id="e-1")
    metrics = (await alice.get("/metrics")).text
    assert 'notification_notices_total{kind="task.completed",outcome="stored"} ' in metrics
    assert 'notification_notices_total{kind="task.completed",outcome="repeat"} ' in metrics
