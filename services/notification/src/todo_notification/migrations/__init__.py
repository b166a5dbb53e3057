"""Alembic's scripts; `todo_kit.data.migrations` runs them."""
