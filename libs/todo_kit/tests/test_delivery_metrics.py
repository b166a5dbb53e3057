"""What the metrics of deliveries say of each outcome."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY

from todo_kit import delivery_metrics
from todo_kit.app import create_service
from todo_kit.bus import DropEvent, subscribe
from todo_kit.events import NotificationCreated, ReceivedEvent
from todo_kit.settings import ServiceSettings
from todo_kit.testing import APP_API_TOKEN, MemoryPublisher

Handler = Callable[[ReceivedEvent[NotificationCreated]], Awaitable[None]]


def application(settings: ServiceSettings, topic: str, handler: Handler) -> FastAPI:
    """Returns an application that subscribes to `topic`."""
    app = create_service(settings)
    subscribe(app, "pubsub", topic, handler, app_token=APP_API_TOKEN, event_model=NotificationCreated)
    return app


def failing_with(error: Exception | None) -> Handler:
    """Returns a handler that raises `error`, if there is one."""

    async def handle(_event: ReceivedEvent[NotificationCreated]) -> None:
        if error is not None:
            raise error

    return handle


def counted(topic: str) -> dict[str, float | None]:
    """Returns the count of each outcome of a topic; None where there is no series."""
    return {
        outcome: REGISTRY.get_sample_value("bus_events_total", {"topic": topic, "outcome": outcome})
        for outcome in delivery_metrics.OUTCOMES
    }


def payload() -> bytes:
    """Returns a valid payload."""
    return NotificationCreated(
        notification_id=uuid4(),
        user_id="user-a",
        kind="task.completed",
        title="Done",
        task_id=None,
        link=None,
        created_at=datetime.now(UTC),
    ).to_json()


async def test_every_series_of_a_topic_is_there_before_the_first_event(settings: ServiceSettings) -> None:
    """Prometheus takes the first value of a new series for its start, so the first failure would be lost."""
    app = application(settings, "unused", failing_with(None))
    assert counted("unused") == dict.fromkeys(delivery_metrics.OUTCOMES, 0.0)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://app.test") as client:
        text = (await client.get("/metrics")).text
    assert 'bus_event_age_seconds_count{topic="unused"} 0.0' in text


@pytest.mark.parametrize(
    ("error", "body", "outcome"),
    [
        (None, payload(), "handled"),
        (DropEvent("no such user"), payload(), "dropped"),
        (RuntimeError("database gone"), payload(), "failed"),
        (None, b"{}", "malformed"),
    ],
    ids=["handled", "dropped", "failed", "malformed"],
)
async def test_delivery_is_counted_by_its_outcome(
    settings: ServiceSettings, error: Exception | None, body: bytes, outcome: str
) -> None:
    """Each delivery is in exactly one series."""
    topic = f"topic-of-{outcome}"
    bus = MemoryPublisher(application(settings, topic, failing_with(error)))
    await bus.publish(topic, body, event_id="e", event_type="notification.created", key="user-a")
    assert counted(topic) == {**dict.fromkeys(delivery_metrics.OUTCOMES, 0.0), outcome: 1.0}


@pytest.mark.parametrize(("age_seconds", "bucket"), [(90, "120.0"), (-5, "0.01")])
def test_age_is_the_time_since_publication_and_never_negative(age_seconds: int, bucket: str) -> None:
    """An event of the future, by another node's clock, has just been published."""
    topic = f"topic-of-age-{age_seconds}"
    delivery_metrics.observe_age(topic, datetime.now(UTC) - timedelta(seconds=age_seconds))
    labels = {"topic": topic, "le": bucket}
    assert REGISTRY.get_sample_value("bus_event_age_seconds_bucket", labels) == 1.0
    below = {"topic": topic, "le": "60.0"}
    expected = 0.0 if age_seconds > 60 else 1.0
    assert REGISTRY.get_sample_value("bus_event_age_seconds_bucket", below) == expected
