"""Settings that several Python services share, read from the environment once.

A service declares one frozen class in its own `settings.py`, from `ServiceSettings` and the mixins that it
needs, and passes an instance to its `create_app`. Nothing else reads the environment.
"""

from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

MIN_TOKEN_LENGTH = 16


class EnvironmentSettings(BaseSettings):
    """Base of all settings: frozen, and an empty variable counts as not set."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    @classmethod
    def from_environment(cls) -> Self:
        """Returns the settings in the environment; raises ValidationError if one is missing or invalid."""
        return cls()


class ServiceSettings(EnvironmentSettings):
    """What every service needs; `service` is its kebab-case id and `port` has a default in each service.

    After SIGTERM a process accepts requests for `shutdown_delay_seconds` more, while it reports itself
    unready, and then has `drain_seconds` for those that are open. The chart sets both.

    A request with a body of more than `max_body_bytes` is answered with 413. The default is enough for every
    event, since Kafka takes messages of at most 1 MiB unless it is told otherwise.
    """

    service: ClassVar[str]

    host: str = "0.0.0.0"  # noqa: S104  # a container listens for its pod, whose address it does not know
    port: int = Field(ge=0, le=65535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    build_id: str = "dev"
    shutdown_delay_seconds: float = Field(default=0, ge=0)
    drain_seconds: int = Field(default=20, ge=1)
    max_body_bytes: int = Field(default=1_048_576, ge=1024)


class JwtSettings(EnvironmentSettings):
    """Whose tokens the service accepts; the issuer is a public URL, the key set an address in the cluster."""

    jwt_issuer: str
    jwt_audience: str = "todo-api"
    jwks_url: str


class DatabaseSettings(EnvironmentSettings):
    """The database that holds the service's schema: a libpq URL that is passed on as it is."""

    database_url: SecretStr


class BusSettings(EnvironmentSettings):
    """Which Dapr component carries events, the environment's prefix of every topic, and the sidecar's token.

    `app_api_token` has no default: a service that would take events from anybody does not start.
    """

    pubsub_name: str = "pubsub"
    topic_prefix: str = ""
    app_api_token: SecretStr = Field(min_length=MIN_TOKEN_LENGTH)


class SidecarTokenSettings(EnvironmentSettings):
    """The token that the sidecar requires of every request to its API."""

    dapr_api_token: SecretStr = Field(min_length=MIN_TOKEN_LENGTH)


class SidecarSettings(SidecarTokenSettings):
    """Where the Dapr sidecar listens; Dapr sets the variables itself (https://docs.dapr.io/reference/environment/)."""

    dapr_runtime_host: str = "127.0.0.1"
    dapr_grpc_port: int = Field(default=50001, ge=1, le=65535)


class DataServiceSettings(ServiceSettings, JwtSettings, DatabaseSettings, BusSettings, SidecarSettings):
    """What a service with a database and an outbox needs, see `todo_kit.data.app`.

    `database_connections` is the most that the process opens; the chart adds them up over all pods.
    """

    database_connections: int = Field(default=8, ge=3)
