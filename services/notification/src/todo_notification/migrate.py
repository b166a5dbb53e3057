"""Brings the schema `notification` up to date: `python -m todo_notification.migrate`, with DATABASE_URL."""

from todo_kit.migrations import migrate_from_environment
from todo_notification.database import SCHEMA

if __name__ == "__main__":
    migrate_from_environment("todo_notification", SCHEMA)
