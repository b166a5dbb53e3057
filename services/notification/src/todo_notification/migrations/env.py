"""What Alembic runs; the connection comes from `todo_kit.migrations`."""

from todo_kit.migrations import run_env
from todo_notification.database import SCHEMA
from todo_notification.notifications.models import NotificationRecord

run_env(NotificationRecord.metadata, SCHEMA)
