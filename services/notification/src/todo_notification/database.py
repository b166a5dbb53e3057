"""The service's schema: what its tables have in common, and its outbox."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from todo_kit.outbox import outbox_table

SCHEMA = "notification"


class Base(DeclarativeBase):
    """Base of the service's models."""

    metadata = MetaData(
        schema=SCHEMA,
        naming_convention={"pk": "pk_%(table_name)s", "uq": "uq_%(table_name)s_%(column_0_name)s"},
    )


outbox = outbox_table(Base.metadata)
