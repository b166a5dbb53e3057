"""The notification service's settings."""

from todo_kit.settings import BusSettings, DatabaseSettings, JwtSettings, ServiceSettings


class Settings(ServiceSettings, JwtSettings, DatabaseSettings, BusSettings):
    """Read from the environment when the service starts."""

    service = "notification"
    port: int = 8002
