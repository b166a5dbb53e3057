"""The script that Alembic runs; `todo_kit.data.migrations` opens the connection."""

from todo_backend.database import SCHEMA
from todo_backend.tasks.models import TaskRecord
from todo_kit.data.migrations import run_env

run_env(TaskRecord.metadata, SCHEMA)
