"""The backend's settings; nothing else in the service reads the environment."""

from pydantic import Field

from todo_kit.settings import DatabaseSettings, DataServiceSettings


class Settings(DataServiceSettings):
    """The settings of the running service."""

    service = "backend"
    port: int = 8000
    max_tasks_per_user: int = Field(default=10_000, ge=1)


class MigrationSettings(DatabaseSettings):
    """The settings of the migration, whose Job gets nothing but the address of the database."""
