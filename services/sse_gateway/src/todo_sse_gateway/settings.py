"""The gateway's settings; nothing else in the service reads the environment."""

from pydantic import Field

from todo_kit.settings import BusSettings, JwtSettings, ServiceSettings, SidecarTokenSettings


class Settings(ServiceSettings, JwtSettings, BusSettings, SidecarTokenSettings):
    """The settings of the running service; its bus component delivers every event to every replica."""

    service = "sse-gateway"
    port: int = 8003
    pubsub_name: str = "pubsub-broadcast"
    dapr_runtime_host: str = "127.0.0.1"
    dapr_http_port: int = Field(default=3500, ge=1, le=65535)
