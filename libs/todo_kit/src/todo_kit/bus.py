"""Publishing to and receiving from the message bus, through the Dapr sidecar."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import grpc.aio  # type: ignore[import-untyped]  # grpcio ships no types
import structlog
from dapr.conf import settings as dapr_settings
from dapr.proto import api_service_v1, api_v1
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from todo_kit.events import PayloadT, ReceivedEvent
from todo_kit.logging import get_logger

PUBLISH_TIMEOUT_SECONDS = 5.0

# By default gRPC waits ever longer, up to two minutes, before it looks for a server that was away.
_CHANNEL_OPTIONS = [("grpc.initial_reconnect_backoff_ms", 500), ("grpc.max_reconnect_backoff_ms", 5000)]

_log = get_logger(__name__)


class PublishError(Exception):
    """The bus did not confirm an event; it may or may not have been accepted, so publish it again."""


class DropEvent(Exception):  # noqa: N818 - an instruction to the bus, not a fault
    """Raised by a handler that will never be able to use this event: it goes to the dead letters."""


class Publisher(Protocol):
    """Where events go. `publish` returns only when the bus has accepted the event."""

    async def publish(self, topic: str, data: bytes, *, event_id: str, event_type: str, key: str) -> None:
        """Publish one event.

        `data` is JSON, `event_id` the CloudEvent id that consumers recognise repeats by, and events with one
        `key` are delivered in the order of publishing. Raises `PublishError`.
        """


class DaprPublisher:
    """Publishes through the sidecar whose address the environment gives (DAPR_GRPC_PORT).

    Uses the SDK's stub and messages but not its `DaprClient`: that one blocks the event loop for up to 60 s
    when it is built before the sidecar answers, and its `publish_event` has no deadline (dapr 1.19).
    """

    def __init__(self, pubsub_name: str, *, address: str | None = None) -> None:
        """Prepare to publish to the component `pubsub_name`. Call it inside a running event loop."""
        self._pubsub_name = pubsub_name
        sidecar = address or f"{dapr_settings.DAPR_RUNTIME_HOST}:{dapr_settings.DAPR_GRPC_PORT}"
        self._channel = grpc.aio.insecure_channel(sidecar, options=_CHANNEL_OPTIONS)
        self._stub = api_service_v1.DaprStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    async def publish(self, topic: str, data: bytes, *, event_id: str, event_type: str, key: str) -> None:
        """Publish one event; raises `PublishError` when it is not confirmed within 5 s."""
        request = api_v1.PublishEventRequest(
            pubsub_name=self._pubsub_name,
            topic=topic,
            data=data,
            data_content_type="application/json",
            metadata={"cloudevent.id": event_id, "cloudevent.type": event_type, "partitionKey": key},
        )
        try:
            await self._stub.PublishEvent(request, timeout=PUBLISH_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            reason = f"{error.code().name}: {error.details()}"
            raise PublishError(f"{self._pubsub_name}/{topic} did not take {event_id}: {reason}") from error

    async def aclose(self) -> None:
        """Close the connection to the sidecar."""
        await self._channel.close()


def subscribe(
    app: FastAPI,
    pubsub_name: str,
    topic: str,
    handler: Callable[[ReceivedEvent[PayloadT]], Awaitable[None]],
    *,
    event_model: type[PayloadT],
    dead_letter_topic: str | None = None,
) -> None:
    """Have the sidecar deliver `topic` to `handler`.

    A handler that returns has handled the event. `DropEvent` and data that does not fit `event_model` are
    given up (to `dead_letter_topic`, if there is one); any other exception answers 500, and the component's
    inbound resiliency policy decides when it comes again.
    """
    route = f"/events/{topic}"
    entry = {"pubsubname": pubsub_name, "topic": topic, "route": route}
    if dead_letter_topic is not None:
        entry["deadLetterTopic"] = dead_letter_topic
    _subscriptions(app).append(entry)
    envelope = ReceivedEvent[event_model]  # type: ignore[valid-type]  # a model made for this payload

    @app.post(route, include_in_schema=False)
    async def receive(request: Request) -> JSONResponse:
        try:
            event: ReceivedEvent[PayloadT] = envelope.model_validate_json(await request.body())
        except ValidationError as error:
            # Only places and reasons: the values may be what a user wrote.
            reasons = [
                {"at": ".".join(map(str, item["loc"])), "why": item["type"]} for item in error.errors()
            ]
            _log.error("event_malformed", topic=topic, reasons=reasons)
            return JSONResponse({"status": "DROP"})
        structlog.contextvars.bind_contextvars(event_id=event.id, event_type=event.type)
        try:
            await handler(event)
        except DropEvent as reason:
            _log.warning("event_dropped", topic=topic, reason=str(reason))
            return JSONResponse({"status": "DROP"})
        except Exception:  # noqa: BLE001 - whatever a handler raises, the bus must hear "again"
            _log.exception("event_failed", topic=topic)
            return JSONResponse({"status": "RETRY"}, status_code=500)
        return JSONResponse({"status": "SUCCESS"})


def _subscriptions(app: FastAPI) -> list[dict[str, str]]:
    """Return the list that `/dapr/subscribe` answers with, adding the route the first time."""
    if not hasattr(app.state, "subscriptions"):
        app.state.subscriptions = []

        @app.get("/dapr/subscribe", include_in_schema=False)
        async def subscriptions() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = app.state.subscriptions
            return found

    listed: list[dict[str, str]] = app.state.subscriptions
    return listed
