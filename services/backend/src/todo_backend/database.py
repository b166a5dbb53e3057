"""The backend's PostgreSQL schema: the base of its models, and its outbox."""

from sqlalchemy.orm import DeclarativeBase

from todo_kit.data.database import service_metadata
from todo_kit.data.outbox import declare_outbox

SCHEMA = "todo"


class Base(DeclarativeBase):
    """Base of the backend's models."""

    metadata = service_metadata(SCHEMA)


outbox = declare_outbox(Base.metadata)
