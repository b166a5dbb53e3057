"""Settings that every Python service shares, read from the environment once.

A service declares one frozen class of its own from `ServiceSettings` and the mixins it needs, and builds it
in its `create_app`. Nothing else reads the environment.
"""

from typing import ClassVar, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)


class ServiceSettings(_Environment):
    """What every service needs; `service` is its kebab-case id and `port` has a default in each service."""

    service: ClassVar[str]

    host: str = "0.0.0.0"  # noqa: S104 - a container listens for its pod, whose address it does not know
    port: int = Field(ge=0, le=65535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    build_id: str = "dev"
    drain_seconds: int = Field(default=20, ge=1)


class JwtSettings(_Environment):
    """Whose tokens the service accepts; the issuer is a public URL, the key set is fetched inside."""

    jwt_issuer: str
    jwt_audience: str = "todo-api"
    jwks_url: str


class DatabaseSettings(_Environment):
    """Where the service's schema lives: a libpq URL that is taken verbatim."""

    database_url: SecretStr


class BusSettings(_Environment):
    """Which Dapr component carries events, and the environment's prefix of every topic."""

    pubsub_name: str = "pubsub"
    topic_prefix: str = ""
