"""The contract of the bus, which a real daprd and the double in memory both keep."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi import FastAPI

from todo_embedded.daprd import daprd_sidecar
from todo_embedded.ports import free_port
from todo_kit.app import create_service
from todo_kit.bus import CANARY_TYPE, Publisher, PublishError, subscribe
from todo_kit.dapr_http_publisher import DaprHttpPublisher
from todo_kit.dapr_publisher import DaprPublisher
from todo_kit.events import NotificationCreated, ReceivedEvent
from todo_kit.settings import ServiceSettings
from todo_kit.testing import APP_API_TOKEN, DAPR_API_TOKEN, MemoryPublisher, serving, wait_until

TOPIC = "staging-notifications"
TOKENS = {
    "APP_API_TOKEN": APP_API_TOKEN.get_secret_value(),
    "DAPR_API_TOKEN": DAPR_API_TOKEN.get_secret_value(),
}
COMPONENT = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: pubsub}
spec: {type: pubsub.in-memory, version: v1}
"""


class Subscriber:
    """An application that keeps the events it receives."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Subscribes to the topic."""
        self.app: FastAPI = create_service(settings)
        self.received: list[ReceivedEvent[NotificationCreated]] = []
        subscribe(
            self.app,
            "pubsub",
            TOPIC,
            self._keep,
            app_token=APP_API_TOKEN,
            event_model=NotificationCreated,
        )

    async def _keep(self, event: ReceivedEvent[NotificationCreated]) -> None:
        self.received.append(event)


@pytest.fixture
def subscriber(settings: ServiceSettings) -> Subscriber:
    """Returns a subscriber that has received nothing."""
    return Subscriber(settings)


@dataclass(frozen=True)
class Bus:
    """An implementation: a publisher that reaches the subscriber, and one whose events are refused."""

    working: Publisher
    refused: Publisher


@pytest.fixture(params=["memory", "daprd", "daprd-http"])
async def bus(request: pytest.FixtureRequest, subscriber: Subscriber, tmp_path: Path) -> AsyncIterator[Bus]:
    """Returns each implementation in turn."""
    if request.param == "memory":
        refused = MemoryPublisher()
        refused.is_failing = True
        yield Bus(MemoryPublisher(subscriber.app), refused)
        return
    (tmp_path / "pubsub.yaml").write_text(COMPONENT)
    port = free_port()
    async with serving(subscriber.app, port), AsyncExitStack() as stack:
        sidecar = stack.enter_context(daprd_sidecar("example", port, tmp_path, env=TOKENS))
        publishers: list[DaprPublisher | DaprHttpPublisher] = []
        for component in ("pubsub", "no-such-component"):
            if request.param == "daprd":
                address = f"127.0.0.1:{sidecar.grpc_port}"
                publishers.append(DaprPublisher(component, address=address, api_token=DAPR_API_TOKEN))
            else:
                url = f"http://127.0.0.1:{sidecar.http_port}"
                publishers.append(
                    DaprHttpPublisher(component, source="example", url=url, api_token=DAPR_API_TOKEN)
                )
            stack.push_async_callback(publishers[-1].aclose)
        await _until_subscribed(publishers[0], subscriber)
        yield Bus(*publishers)


async def _until_subscribed(publisher: Publisher, subscriber: Subscriber) -> None:
    """Publishes until an event arrives: earlier ones are lost, as the sidecar has no subscribers yet."""
    async with asyncio.timeout(20):
        while not subscriber.received:
            await publish(publisher, "warm-up")
            await asyncio.sleep(0.1)
    subscriber.received.clear()


async def publish(publisher: Publisher, event_id: str) -> NotificationCreated:
    """Publishes an event and returns its payload."""
    payload = NotificationCreated(
        notification_id=uuid4(),
        user_id="user-a",
        kind="task.completed",
        title="Ünïcode 漢字 \u2028",
        task_id=uuid4(),
        link=None,
        created_at=datetime.now(UTC),
    )
    await publisher.publish(
        TOPIC, payload.to_json(), event_id=event_id, event_type="notification.created", key="user-a"
    )
    return payload


def arrived(subscriber: Subscriber, event_id: str) -> Callable[[], list[ReceivedEvent[NotificationCreated]]]:
    """Returns a function that returns the events with this id that have arrived."""
    return lambda: [event for event in subscriber.received if event.id == event_id]


async def test_event_arrives_as_it_was_published(bus: Bus, subscriber: Subscriber) -> None:
    """Id, type, topic and payload are those of the publisher; time and source are added."""
    payload = await publish(bus.working, "event-1")
    await wait_until(arrived(subscriber, "event-1"))
    (event,) = arrived(subscriber, "event-1")()
    assert (event.type, event.topic, event.data) == ("notification.created", TOPIC, payload)
    assert abs(datetime.now(UTC) - event.time) < timedelta(minutes=1)
    assert event.source


async def test_repeated_event_arrives_with_the_same_id(bus: Bus, subscriber: Subscriber) -> None:
    """A consumer recognises an event that the outbox published twice."""
    await publish(bus.working, "event-2")
    await publish(bus.working, "event-2")
    await wait_until(lambda: len(arrived(subscriber, "event-2")()) == 2)


async def test_canary_comes_back_and_is_no_event_for_other_subscribers(
    bus: Bus, subscriber: Subscriber
) -> None:
    """A subscriber acknowledges the events by which another one finds out that it has joined."""
    await bus.working.publish(
        TOPIC, b'{"event_type": "bus.canary"}', event_id="c-1", event_type=CANARY_TYPE, key="c-1"
    )
    await publish(bus.working, "event-after")
    await wait_until(arrived(subscriber, "event-after"))
    assert [event.id for event in subscriber.received] == ["event-after"]


async def test_publishing_a_refused_event_raises(bus: Bus) -> None:
    """The publisher learns that the bus did not accept the event."""
    with pytest.raises(PublishError):
        await publish(bus.refused, "event-3")


async def test_sidecar_refuses_a_publisher_with_another_token(subscriber: Subscriber, tmp_path: Path) -> None:
    """The sidecar's API needs its own token: the application's is refused, and the event is not published."""
    (tmp_path / "pubsub.yaml").write_text(COMPONENT)
    port = free_port()
    async with serving(subscriber.app, port):
        with daprd_sidecar("example", port, tmp_path, env=TOKENS) as sidecar:
            stranger = DaprPublisher(
                "pubsub", address=f"127.0.0.1:{sidecar.grpc_port}", api_token=APP_API_TOKEN
            )
            with pytest.raises(PublishError, match="UNAUTHENTICATED"):
                await publish(stranger, "event-4")
            await stranger.aclose()
