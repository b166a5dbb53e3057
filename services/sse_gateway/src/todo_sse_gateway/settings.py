"""Settings of the gateway, read from the environment."""

from typing import ClassVar

from todo_kit.settings import BusSettings, JwtSettings, ServiceSettings


class Settings(ServiceSettings, JwtSettings, BusSettings):
    """What the gateway needs: whose tokens it accepts and the component that broadcasts events."""

    service: ClassVar[str] = "sse-gateway"

    port: int = 8003
    pubsub_name: str = "pubsub-broadcast"
