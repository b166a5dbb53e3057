"""The script that Alembic runs; `todo_kit.data.migrations` opens the connection."""

from todo_kit.data.migrations import run_env
from todo_notification.database import SCHEMA
from todo_notification.notifications.models import NotificationRecord

run_env(NotificationRecord.metadata, SCHEMA)
