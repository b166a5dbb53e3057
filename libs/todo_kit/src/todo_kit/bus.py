"""The message bus as services see it: the interface for publishing, and subscriptions that Dapr delivers.

`todo_kit.dapr_publisher` publishes through a real sidecar, `todo_kit.testing.MemoryPublisher` in memory.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import orjson
import structlog
from fastapi import Depends, FastAPI, Request, params
from fastapi.responses import JSONResponse
from pydantic import SecretStr, ValidationError

from todo_kit import delivery_metrics
from todo_kit.events import PayloadT, ReceivedEvent
from todo_kit.logging import get_logger
from todo_kit.sidecar_token import SidecarOnly

CANARY_TYPE = "bus.canary"
"""The type of the events of `todo_kit.canary`, which every subscriber acknowledges."""

_log = get_logger(__name__)


class PublishError(Exception):
    """The bus did not confirm an event; it may or may not have been accepted, so publish it again."""


class DropEvent(Exception):  # noqa: N818  # an instruction to the bus, not an error
    """Raised by a handler that will never be able to use an event: it goes to the dead-letter topic."""


class Publisher(Protocol):
    """Where events go. `publish` returns only when the bus has accepted the event."""

    async def publish(self, topic: str, data: bytes, *, event_id: str, event_type: str, key: str) -> None:
        """Publishes an event.

        Args:
            topic: The full name of the topic, prefix included.
            data: The payload as JSON.
            event_id: The CloudEvent id, by which consumers recognise a repeated delivery.
            event_type: The CloudEvent type.
            key: Events with the same key are delivered in the order in which they were published.

        Raises:
            PublishError: The bus did not confirm the event.
        """


def subscribe(
    app: FastAPI,
    pubsub_name: str,
    topic: str,
    handler: Callable[[ReceivedEvent[PayloadT]], Awaitable[None]],
    *,
    app_token: SecretStr,
    event_model: type[PayloadT],
    dead_letter_topic: str | None = None,
) -> None:
    """Adds the route at which the sidecar delivers `topic`, and lists it in `/dapr/subscribe`.

    Both routes answer 403 to a request without `app_token`, so only the own sidecar can deliver events.

    An event is handled when `handler` returns. An event whose handler raises `DropEvent`, or whose data does
    not fit `event_model`, is not delivered again (it goes to `dead_letter_topic`, if there is one). Any other
    exception answers 500, and the component's inbound resiliency policy decides when to deliver again.
    """
    route = f"/events/{topic}"
    entry = {"pubsubname": pubsub_name, "topic": topic, "route": route}
    if dead_letter_topic is not None:
        entry["deadLetterTopic"] = dead_letter_topic
    only_sidecar = Depends(SidecarOnly(app_token))
    _subscriptions(app, only_sidecar).append(entry)
    delivery_metrics.declare(topic)
    envelope = ReceivedEvent[event_model]  # type: ignore[valid-type]  # a model made for this payload

    @app.post(route, include_in_schema=False, dependencies=[only_sidecar])
    async def receive(request: Request) -> JSONResponse:
        body = await request.body()
        try:
            event: ReceivedEvent[PayloadT] = envelope.model_validate_json(body)
        except ValidationError as error:
            if _is_canary(body):
                return JSONResponse({"status": "SUCCESS"})
            # Only locations and reasons are logged: the values may be what a user wrote.
            reasons = [
                {"at": ".".join(map(str, item["loc"])), "why": item["type"]} for item in error.errors()
            ]
            _log.error("event_malformed", topic=topic, reasons=reasons)
            delivery_metrics.count(topic, "malformed")
            return JSONResponse({"status": "DROP"})
        structlog.contextvars.bind_contextvars(event_id=event.id, event_type=event.type)
        delivery_metrics.observe_age(topic, event.time)
        try:
            await handler(event)
        except DropEvent as reason:
            _log.warning("event_dropped", topic=topic, reason=str(reason))
            delivery_metrics.count(topic, "dropped")
            return JSONResponse({"status": "DROP"})
        except Exception:  # noqa: BLE001  # whatever a handler raises, the sidecar must be answered with RETRY
            _log.exception("event_failed", topic=topic)
            delivery_metrics.count(topic, "failed")
            return JSONResponse({"status": "RETRY"}, status_code=500)
        delivery_metrics.count(topic, "handled")
        return JSONResponse({"status": "SUCCESS"})


def _is_canary(body: bytes) -> bool:
    try:
        return bool(orjson.loads(body)["type"] == CANARY_TYPE)
    except (orjson.JSONDecodeError, TypeError, KeyError):
        return False


def _subscriptions(app: FastAPI, only_sidecar: params.Depends) -> list[dict[str, str]]:
    """Returns the list that `/dapr/subscribe` answers with; the first call adds that route."""
    if not hasattr(app.state, "subscriptions"):
        app.state.subscriptions = []

        @app.get("/dapr/subscribe", include_in_schema=False, dependencies=[only_sidecar])
        async def subscriptions() -> list[dict[str, Any]]:
            declared: list[dict[str, Any]] = app.state.subscriptions
            return declared

    entries: list[dict[str, str]] = app.state.subscriptions
    return entries
