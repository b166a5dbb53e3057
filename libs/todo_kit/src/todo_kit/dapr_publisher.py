"""Publishes events through the Dapr sidecar; needs the extra `dapr`."""

import grpc.aio  # type: ignore[import-untyped]  # grpcio ships no types
from dapr.proto import api_service_v1, api_v1
from pydantic import SecretStr

from todo_kit.bus import PublishError
from todo_kit.sidecar_token import HEADER

PUBLISH_TIMEOUT_SECONDS = 5.0

# By default gRPC waits up to two minutes before it tries again to reach a server that was away.
_CHANNEL_OPTIONS = [("grpc.initial_reconnect_backoff_ms", 500), ("grpc.max_reconnect_backoff_ms", 5000)]


class DaprPublisher:
    """A `Publisher` that sends events to one Dapr pub/sub component.

    Uses the SDK's stub and messages but not its `DaprClient`: that one blocks the event loop for up to 60 s
    when it is built before the sidecar answers, and its `publish_event` has no deadline (dapr 1.19).
    """

    def __init__(self, pubsub_name: str, *, address: str, api_token: SecretStr) -> None:
        """Prepares to publish to the component `pubsub_name`; call it inside a running event loop.

        Args:
            pubsub_name: The name of the Dapr component.
            address: Host and gRPC port of the sidecar.
            api_token: The token that the sidecar requires.
        """
        self._pubsub_name = pubsub_name
        self._metadata = ((HEADER, api_token.get_secret_value()),)
        self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        self._stub = api_service_v1.DaprStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    async def publish(self, topic: str, data: bytes, *, event_id: str, event_type: str, key: str) -> None:
        """Publishes an event; raises `PublishError` when it is not confirmed within 5 s."""
        request = api_v1.PublishEventRequest(
            pubsub_name=self._pubsub_name,
            topic=topic,
            data=data,
            data_content_type="application/json",
            metadata={"cloudevent.id": event_id, "cloudevent.type": event_type, "partitionKey": key},
        )
        try:
            await self._stub.PublishEvent(request, timeout=PUBLISH_TIMEOUT_SECONDS, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            reason = f"{error.code().name}: {error.details()}"
            raise PublishError(f"{self._pubsub_name}/{topic} did not take {event_id}: {reason}") from error

    async def aclose(self) -> None:
        """Closes the connection to the sidecar."""
        await self._channel.close()
