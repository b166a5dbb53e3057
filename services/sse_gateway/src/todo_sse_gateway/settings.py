"""The gateway's settings; nothing else in the service reads the environment."""

from todo_kit.settings import BusSettings, JwtSettings, ServiceSettings


class Settings(ServiceSettings, JwtSettings, BusSettings):
    """The settings of the running service; its bus component delivers every event to every replica."""

    service = "sse-gateway"
    port: int = 8003
    pubsub_name: str = "pubsub-broadcast"
