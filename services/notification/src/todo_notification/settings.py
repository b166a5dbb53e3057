"""The notification service's settings; nothing else in the service reads the environment."""

from todo_kit.settings import DatabaseSettings, DataServiceSettings


class Settings(DataServiceSettings):
    """The settings of the running service."""

    service = "notification"
    port: int = 8002


class MigrationSettings(DatabaseSettings):
    """The settings of the migration, whose Job gets nothing but the address of the database."""
