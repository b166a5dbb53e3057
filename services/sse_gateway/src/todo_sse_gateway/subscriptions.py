"""Handles the events that come in from the bus.

The component delivers every event to every replica. An event is passed on with all its members, also those
unknown to the gateway, so publishers and browsers can use a new member without a release of the gateway.
"""

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI
from pydantic import ConfigDict, Field, SecretStr

from todo_kit.bus import CANARY_TYPE, DropEvent, subscribe
from todo_kit.canary import Canary
from todo_kit.events import NumberedPayload, ReceivedEvent
from todo_kit.topics import Topics
from todo_sse_gateway.broadcast.hub import Hub
from todo_sse_gateway.broadcast.replay import Arrival
from todo_sse_gateway.limits import Limits
from todo_sse_gateway.metrics import EVENTS_DELIVERED, EVENTS_RECEIVED, LAG

TASK_CHANGED = "sync.task-changed"
NOTIFICATION = "notification"


class UserEvent(NumberedPayload):
    """The members that the gateway reads of any payload: type, user and number of the event."""

    model_config = ConfigDict(frozen=True, extra="allow")

    event_type: str
    user_id: str = Field(min_length=1)


class Forwarder:
    """Encodes an event once and passes it to the hub."""

    def __init__(self, hub: Hub, canary: Canary, limits: Limits, now: Callable[[], datetime]) -> None:
        """Forwards to `hub`; `now` is the wall clock by which the age of an event is calculated."""
        self._hub = hub
        self._canary = canary
        self._limits = limits
        self._now = now

    async def forward(self, event: ReceivedEvent[UserEvent]) -> None:
        """Pushes the event to the streams of its user, unless it is not for browsers or a repeat.

        Raises:
            DropEvent: The event would break the framing of the stream.
        """
        if event.type == CANARY_TYPE:
            self._canary.received(event.topic, event.data.user_id)
            return
        name = stream_event_name(event.data.event_type)
        if name is None:
            return
        age_seconds = (self._now() - event.time).total_seconds()
        arrival = Arrival(
            event_id=event.id,
            line=f"{event.source} {event.topic}",
            number=event.data.sequence,
            name=name,
            data=event.data.to_json(),
            # A new consumer group starts at the oldest entry of a Redis stream.
            is_old=age_seconds > self._limits.replay_seconds,
        )
        try:
            delivery = self._hub.publish(event.data.user_id, arrival)
        except ValueError as error:
            raise DropEvent(f"{event.id}: {error}") from error
        if delivery is None:
            EVENTS_RECEIVED.labels(name, "duplicate").inc()
            return
        EVENTS_RECEIVED.labels(name, "reset" if delivery.is_reset else "forwarded").inc()
        EVENTS_DELIVERED.labels(name).inc(delivery.streams)
        if delivery.streams:
            LAG.labels(name).observe(max(0.0, age_seconds))


def stream_event_name(event_type: str) -> str | None:
    """Returns the name under which browsers get events of this type; None if they do not get them.

    Reminders, for example, are on the topic `notifications`, but for the notification service and not for
    browsers.
    """
    if event_type.startswith("task."):
        return TASK_CHANGED
    return NOTIFICATION if event_type == "notification.created" else None


def topics_for_browsers(topics: Topics) -> tuple[str, ...]:
    """Returns the topics of the environment that browsers get events of."""
    return (topics.task_events, topics.notifications)


def subscribe_to_events(
    app: FastAPI, pubsub_name: str, topics: Topics, forwarder: Forwarder, *, app_token: SecretStr
) -> None:
    """Subscribes `forwarder` to the topics that are for browsers."""
    for topic in topics_for_browsers(topics):
        subscribe(app, pubsub_name, topic, forwarder.forward, app_token=app_token, event_model=UserEvent)
