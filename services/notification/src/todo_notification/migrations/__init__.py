"""Alembic's folder: revisions are applied by `todo_kit.migrations`."""
