"""The backend's PostgreSQL schema: the base of its models, and its outbox."""

from sqlalchemy.orm import DeclarativeBase

from todo_kit.data.database import service_metadata
from todo_kit.data.outbox import outbox_table

SCHEMA = "todo"


class Base(DeclarativeBase):
    """Base of the backend's models."""

    metadata = service_metadata(SCHEMA)


outbox = outbox_table(Base.metadata)
