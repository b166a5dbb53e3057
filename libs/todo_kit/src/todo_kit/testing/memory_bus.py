"""The message bus in memory; `tests/test_bus_contract.py` holds it and a real daprd to the same behaviour."""

from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2
import orjson
from fastapi import FastAPI
from pydantic import SecretStr

from todo_kit.bus import PublishError
from todo_kit.sidecar_token import HEADER

APP_API_TOKEN = SecretStr("token-of-the-bus-in-memory")
DAPR_API_TOKEN = SecretStr("token-of-the-sidecar-in-tests")


@dataclass(frozen=True)
class PublishedEvent:
    """An event as it was passed to the publisher."""

    topic: str
    data: bytes
    event_id: str
    event_type: str
    key: str


class MemoryPublisher:
    """A `Publisher` that keeps events in `published` and delivers them to applications that subscribed.

    Delivers as daprd does: the CloudEvent goes to the route that `/dapr/subscribe` names. `outcomes` holds
    the answer (`SUCCESS`, `DROP`, `RETRY`) to each delivery; nothing is delivered again. While `is_failing`
    is set, `publish` raises. Subscribers must have `APP_API_TOKEN` as the token of their sidecar.
    """

    def __init__(self, *subscribers: FastAPI) -> None:
        """Prepares to deliver to all subscriptions of `subscribers`."""
        self.published: list[PublishedEvent] = []
        self.outcomes: list[str] = []
        self.is_failing = False
        self._subscribers = subscribers

    async def publish(self, topic: str, data: bytes, *, event_id: str, event_type: str, key: str) -> None:
        """Keeps and delivers the event; raises `PublishError` while `is_failing`."""
        if self.is_failing:
            raise PublishError(f"{topic} did not take {event_id}: is_failing is set")
        self.published.append(PublishedEvent(topic, data, event_id, event_type, key))
        envelope = {
            "specversion": "1.0",
            "id": event_id,
            "type": event_type,
            "source": "test",
            "time": datetime.now(UTC).isoformat(),
            "topic": topic,
            "datacontenttype": "application/json",
            "data": orjson.loads(data),
        }
        for app in self._subscribers:
            async with httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app),
                base_url="http://app.test",
                headers={HEADER: APP_API_TOKEN.get_secret_value()},
            ) as client:
                for entry in (await client.get("/dapr/subscribe")).json():
                    if entry["topic"] == topic:
                        response = await client.post(entry["route"], json=envelope)
                        self.outcomes.append(response.json()["status"])
