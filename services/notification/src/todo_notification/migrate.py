"""Upgrades the schema `notification` at DATABASE_URL: `python -m todo_notification.migrate`."""

from todo_kit.data.migrations import run_migrations
from todo_notification.database import SCHEMA
from todo_notification.settings import MigrationSettings

if __name__ == "__main__":
    settings = MigrationSettings.from_environment()
    run_migrations("todo_notification", SCHEMA, settings.database_url.get_secret_value())
