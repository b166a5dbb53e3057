"""Publishes events through the Dapr sidecar's HTTP API, for a service that has no use for the gRPC SDK."""

import httpx2
import orjson
from pydantic import SecretStr

from todo_kit.bus import PublishError
from todo_kit.sidecar_token import HEADER

PUBLISH_TIMEOUT_SECONDS = 5.0


class DaprHttpPublisher:
    """A `Publisher` that sends events to one Dapr pub/sub component."""

    def __init__(self, pubsub_name: str, *, source: str, url: str, api_token: SecretStr) -> None:
        """Prepares to publish to the component `pubsub_name`.

        Args:
            pubsub_name: The name of the Dapr component.
            source: The CloudEvent source, which is the id of the service.
            url: Scheme, host and HTTP port of the sidecar.
            api_token: The token that the sidecar requires.
        """
        self._pubsub_name = pubsub_name
        self._source = source
        self._client = httpx2.AsyncClient(
            base_url=f"{url}/v1.0/publish/{pubsub_name}/",
            headers={HEADER: api_token.get_secret_value(), "Content-Type": "application/cloudevents+json"},
            timeout=PUBLISH_TIMEOUT_SECONDS,
        )

    async def publish(self, topic: str, data: bytes, *, event_id: str, event_type: str, key: str) -> None:
        """Publishes an event; raises `PublishError` when it is not confirmed within 5 s."""
        envelope = {
            "specversion": "1.0",
            "id": event_id,
            "type": event_type,
            "source": self._source,
            "datacontenttype": "application/json",
            "data": orjson.Fragment(data),
        }
        try:
            response = await self._client.post(
                topic, params={"metadata.partitionKey": key}, content=orjson.dumps(envelope)
            )
        except httpx2.TransportError as error:
            raise PublishError(f"{self._pubsub_name}/{topic} did not take {event_id}: {error!r}") from error
        if response.is_error:
            reason = f"{response.status_code} {response.text[:200]}"
            raise PublishError(f"{self._pubsub_name}/{topic} did not take {event_id}: {reason}")

    async def aclose(self) -> None:
        """Closes the connections to the sidecar."""
        await self._client.aclose()
