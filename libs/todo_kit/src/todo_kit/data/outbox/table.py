"""The outbox table, and the function that writes to it."""

import uuid
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession


def outbox_table(metadata: MetaData) -> Table:
    """Declares the table `outbox` in the schema of `metadata`.

    `position` orders events: if a change could see the effect of another one, it has the greater position. A
    row waits to be published while `published_at` is null. While the `retry_at` of a row is in the future,
    all rows with its key wait.
    """
    return Table(
        "outbox",
        metadata,
        Column("position", BigInteger, Identity(always=True), primary_key=True),
        Column("id", Uuid, nullable=False, unique=True),
        Column("topic", Text, nullable=False),
        Column("event_type", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("payload", LargeBinary, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("published_at", DateTime(timezone=True)),
        Column("attempts", Integer, nullable=False, server_default=text("0")),
        Column("retry_at", DateTime(timezone=True)),
        Index("ix_outbox_waiting", "position", postgresql_where=text("published_at IS NULL")),
        Index(
            "ix_outbox_retrying",
            "key",
            postgresql_where=text("published_at IS NULL AND retry_at IS NOT NULL"),
        ),
        Index("ix_outbox_published", "published_at", postgresql_where=text("published_at IS NOT NULL")),
    )


def channel(table: Table) -> str:
    """Returns the NOTIFY channel that relays of `table` listen on."""
    return f"{table.schema}_outbox"


async def enqueue(
    session: AsyncSession, table: Table, *, topic: str, event_type: str, key: str, payload: bytes
) -> UUID:
    """Stores an event in the session's transaction and returns its id; the commit wakes the relays.

    Events with the same `key` are published in order. To keep the order of the changes of one row, change the
    row first (others then wait for its lock) and call this afterwards.
    """
    event_id = uuid.uuid4()
    row = (
        insert(table)
        .values(id=event_id, topic=topic, event_type=event_type, key=key, payload=payload)
        .returning(table.c.id)
        .cte("row")
    )
    await session.execute(select(func.pg_notify(channel(table), "")).select_from(row))
    return event_id
