"""What Alembic runs; the connection comes from `todo_kit.migrations`."""

from todo_backend.database import SCHEMA
from todo_backend.tasks.models import TaskRecord
from todo_kit.migrations import run_env

run_env(TaskRecord.metadata, SCHEMA)
