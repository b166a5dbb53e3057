"""Events coming in from the bus and what becomes of each in the streams.

The component is a broadcast one: every replica gets every event. An event is passed on as it came, members
unknown to the gateway included, so that publishers and browsers may agree on a new member without a release
of the gateway.
"""

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI
from pydantic import ConfigDict, Field

from todo_kit.bus import DropEvent, subscribe
from todo_kit.events import Payload, ReceivedEvent
from todo_kit.topics import Topics
from todo_sse_gateway.broadcast import wire
from todo_sse_gateway.broadcast.hub import Hub
from todo_sse_gateway.limits import Limits
from todo_sse_gateway.metrics import EVENTS_DELIVERED, EVENTS_RECEIVED, LAG

TASK_CHANGED = "sync.task-changed"
NOTIFICATION = "notification"


class UserEvent(Payload):
    """What the gateway reads of any payload: its kind and whose streams it belongs to."""

    model_config = ConfigDict(frozen=True, extra="allow")

    event_type: str
    user_id: str = Field(min_length=1)


class Forwarder:
    """Encodes an event once and gives it to the hub."""

    def __init__(self, hub: Hub, limits: Limits, now: Callable[[], datetime]) -> None:
        """Forward into `hub`; `now` is the wall clock that an event's publication is compared with."""
        self._hub = hub
        self._limits = limits
        self._now = now

    async def forward(self, event: ReceivedEvent[UserEvent]) -> None:
        """Push the event to the streams of its user, unless browsers do not want it or had it.

        Raises DropEvent for an event that would break the framing of the stream.
        """
        name = stream_event_name(event.data.event_type)
        if name is None:
            return
        age_seconds = (self._now() - event.time).total_seconds()
        if age_seconds > self._limits.replay_seconds:
            # A new consumer group starts at the oldest entry of a Redis stream: clients have read those.
            EVENTS_RECEIVED.labels(name, "too-old").inc()
            return
        try:
            chunk = wire.encode_event(name, event.data.to_json(), event.id)
        except ValueError as error:
            raise DropEvent(str(error)) from error
        delivered = self._hub.publish(event.data.user_id, event.id, chunk)
        if delivered is None:
            EVENTS_RECEIVED.labels(name, "duplicate").inc()
            return
        EVENTS_RECEIVED.labels(name, "forwarded").inc()
        EVENTS_DELIVERED.labels(name).inc(delivered)
        if delivered:
            LAG.labels(name).observe(max(0.0, age_seconds))


def stream_event_name(event_type: str) -> str | None:
    """Return the name under which browsers get events of this type, None for what they do not get.

    Reminders, for one, travel on the topic of notifications to the notification service, not to browsers.
    """
    if event_type.startswith("task."):
        return TASK_CHANGED
    return NOTIFICATION if event_type == "notification.created" else None


def subscribe_to_events(app: FastAPI, pubsub_name: str, topics: Topics, forwarder: Forwarder) -> None:
    """Have both topics of the environment delivered to `forwarder`."""
    for topic in (topics.task_events, topics.notifications):
        subscribe(app, pubsub_name, topic, forwarder.forward, event_model=UserEvent)
