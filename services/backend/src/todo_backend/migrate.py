"""Upgrades the schema `todo` at DATABASE_URL: `python -m todo_backend.migrate`."""

from todo_backend.database import SCHEMA
from todo_backend.settings import MigrationSettings
from todo_kit.data.migrations import run_migrations

if __name__ == "__main__":
    settings = MigrationSettings.from_environment()
    run_migrations("todo_backend", SCHEMA, settings.database_url.get_secret_value())
