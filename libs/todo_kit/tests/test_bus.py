"""What a subscription answers the sidecar for each result of handling an event."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from todo_kit.app import create_service
from todo_kit.bus import DropEvent, PublishError, subscribe
from todo_kit.dapr_publisher import DaprPublisher
from todo_kit.events import NotificationCreated, ReceivedEvent
from todo_kit.settings import ServiceSettings
from todo_kit.sidecar_token import HEADER
from todo_kit.testing import APP_API_TOKEN, DAPR_API_TOKEN, MemoryPublisher

TOKEN = {HEADER: APP_API_TOKEN.get_secret_value()}


def notification(title: str = "Done") -> NotificationCreated:
    """Returns a payload."""
    return NotificationCreated(
        notification_id=uuid4(),
        user_id="user-a",
        kind="task.completed",
        title=title,
        task_id=None,
        link=None,
        created_at=datetime.now(UTC),
    )


class Consumer:
    """An application that subscribes to `notifications` and keeps the events."""

    def __init__(self, settings: ServiceSettings, error: Exception | None = None) -> None:
        """Raises `error`, if there is one, at every event."""
        self.app: FastAPI = create_service(settings)
        self.received: list[ReceivedEvent[NotificationCreated]] = []
        self._error = error
        subscribe(
            self.app,
            "pubsub",
            "notifications",
            self.handle,
            app_token=APP_API_TOKEN,
            event_model=NotificationCreated,
            dead_letter_topic="dead-letters",
        )

    async def handle(self, event: ReceivedEvent[NotificationCreated]) -> None:
        """Keeps the event."""
        if self._error is not None:
            raise self._error
        self.received.append(event)

    async def post(self, body: bytes, headers: dict[str, str] = TOKEN) -> httpx2.Response:
        """Delivers a body as it is."""
        async with self.client() as client:
            return await client.post("/events/notifications", content=body, headers=headers)

    def client(self) -> httpx2.AsyncClient:
        """Returns a client of the application."""
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url="http://app.test")


async def deliver(consumer: Consumer, payload: NotificationCreated, event_id: str = "event-1") -> str:
    """Publishes to the consumer in memory and returns what it answered."""
    publisher = MemoryPublisher(consumer.app)
    await publisher.publish(
        "notifications", payload.to_json(), event_id=event_id, event_type="notification.created", key="user-a"
    )
    (outcome,) = publisher.outcomes
    return outcome


async def test_subscription_names_topic_route_and_dead_letters(settings: ServiceSettings) -> None:
    """daprd reads the list of subscriptions when it starts."""
    consumer = Consumer(settings)
    async with consumer.client() as client:
        listed = (await client.get("/dapr/subscribe", headers=TOKEN)).json()
    assert listed == [
        {
            "pubsubname": "pubsub",
            "topic": "notifications",
            "route": "/events/notifications",
            "deadLetterTopic": "dead-letters",
        }
    ]


async def test_handled_event_is_confirmed(settings: ServiceSettings) -> None:
    """The handler gets the payload, and the id by which it recognises a repeated event."""
    consumer = Consumer(settings)
    payload = notification()
    assert await deliver(consumer, payload, "event-7") == "SUCCESS"
    (event,) = consumer.received
    assert (event.id, event.type, event.topic) == ("event-7", "notification.created", "notifications")
    assert event.data == payload


async def test_event_that_the_handler_drops_is_dropped(settings: ServiceSettings) -> None:
    """The answer is DROP, on which daprd sends the event to the dead letters."""
    assert await deliver(Consumer(settings, DropEvent("no such user")), notification()) == "DROP"


async def test_other_exception_of_the_handler_is_answered_with_retry(settings: ServiceSettings) -> None:
    """The answer is RETRY, because the same event may succeed later."""
    consumer = Consumer(settings, RuntimeError("database gone"))
    assert await deliver(consumer, notification()) == "RETRY"
    transport = MemoryPublisher(consumer.app)
    await transport.publish("notifications", notification().to_json(), event_id="e", event_type="t", key="k")
    assert transport.outcomes == ["RETRY"]


async def test_retry_is_answered_with_status_500(settings: ServiceSettings) -> None:
    """The resiliency policy, which reads the status, decides when to deliver again."""
    consumer = Consumer(settings, RuntimeError("database gone"))
    body = ReceivedEvent[NotificationCreated](
        id="e", type="t", source="s", topic="notifications", data=notification()
    )
    assert (await consumer.post(body.model_dump_json().encode())).status_code == 500


FORGED: list[dict[str, str]] = [
    {},
    {HEADER: ""},
    {HEADER: APP_API_TOKEN.get_secret_value()[:-1]},
    {HEADER: DAPR_API_TOKEN.get_secret_value()},
    {"Authorization": TOKEN[HEADER]},
]


@pytest.mark.parametrize("headers", FORGED)
async def test_event_without_the_token_of_the_sidecar_is_refused(
    settings: ServiceSettings, headers: dict[str, str]
) -> None:
    """Another pod that posts an event itself gets 403, and neither the handler nor the log sees the event."""
    consumer = Consumer(settings)
    event = ReceivedEvent[NotificationCreated](
        id="e", type="t", source="s", topic="notifications", data=notification("Forged")
    )
    with capture_logs() as logs:
        response = await consumer.post(event.model_dump_json().encode(), headers)
    assert (response.status_code, response.json()["title"]) == (403, "Only for the sidecar")
    assert consumer.received == []
    assert "Forged" not in str(logs)


async def test_list_of_subscriptions_is_for_the_sidecar_only(settings: ServiceSettings) -> None:
    """Without the token nobody reads which topics an application has."""
    async with Consumer(settings).client() as client:
        assert (await client.get("/dapr/subscribe")).status_code == 403


MALFORMED = b'{"id": "e", "type": "t", "source": "s", "topic": "x", "data": {"title": "Secret"}}'


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", MALFORMED])
async def test_malformed_event_is_dropped_and_logged_without_its_text(
    settings: ServiceSettings, body: bytes
) -> None:
    """A malformed event is dropped; the log has locations and reasons, and no text of a user."""
    consumer = Consumer(settings)
    with capture_logs() as logs:
        response = await consumer.post(body)
    assert (response.status_code, response.json()) == (200, {"status": "DROP"})
    (line,) = [line for line in logs if line["event"] == "event_malformed"]
    assert "Secret" not in str(line)
    assert consumer.received == []


async def test_unknown_members_are_ignored(settings: ServiceSettings) -> None:
    """A newer publisher may add members to a payload before its consumers are updated."""
    payload = notification().model_dump(mode="json") | {"added_later": 1}
    consumer = Consumer(settings)
    envelope = {"id": "e", "type": "t", "source": "s", "topic": "notifications", "data": payload}
    async with consumer.client() as client:
        response = await client.post("/events/notifications", json=envelope, headers=TOKEN)
    assert response.json() == {"status": "SUCCESS"}
    assert isinstance(consumer.received[0].data.notification_id, UUID)


async def test_publishing_without_a_sidecar_fails_instead_of_waiting() -> None:
    """Publishing raises when nobody listens at the sidecar's address, so the relay keeps the event."""
    publisher = DaprPublisher("pubsub", address="127.0.0.1:1", api_token=DAPR_API_TOKEN)
    with pytest.raises(PublishError, match="UNAVAILABLE"):
        await publisher.publish("t", b"{}", event_id="e", event_type="t", key="k")
    await publisher.aclose()
