"""Brings the schema `todo` up to date: `python -m todo_backend.migrate`, with DATABASE_URL."""

from todo_backend.database import SCHEMA
from todo_kit.migrations import migrate_from_environment

if __name__ == "__main__":
    migrate_from_environment("todo_backend", SCHEMA)
