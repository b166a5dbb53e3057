"""The tables of an outbox, and the function that writes to it."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict
from uuid import UUID

from sqlalchemy import (
    CTE,
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
    bindparam,
    event,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession

ON_COMMIT = "outbox_on_commit"  # the key of `Session.info` under which a service keeps its `Relay.wake`


class NewEvent(TypedDict):
    """The arguments of `enqueue` that describe the event."""

    topic: str
    event_type: str
    key: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Outbox:
    """The tables of one service's outbox, in the service's schema.

    `events` holds the events. A row waits to be published while its `published_at` is null; while the
    `retry_at` of a row is in the future, all rows with its key wait. `number` counts the events of one key on
    one topic from 1, without gaps, in the order in which they are published. The relay sets it before it
    publishes, and a repeated event keeps it. It is not `position`: transactions commit in another order than
    they insert.

    `counters` holds the last number of each topic and key, and `leases` which process publishes.
    """

    events: Table
    counters: Table
    leases: Table

    @property
    def schema(self) -> str:
        """The PostgreSQL schema of the tables."""
        return str(self.events.schema)

    @property
    def channel(self) -> str:
        """The NOTIFY channel on which the publishing process listens."""
        return f"{self.schema}_outbox"


def declare_outbox(metadata: MetaData) -> Outbox:
    """Adds the tables of an outbox to `metadata`, whose schema they get."""
    is_waiting = text("published_at IS NULL")
    events = Table(
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
        Column("number", BigInteger),
        Index("ix_outbox_waiting", "position", postgresql_where=is_waiting),
        Index("ix_outbox_waiting_by_key", "key", "number", "position", postgresql_where=is_waiting),
        Index("ix_outbox_published", "published_at", postgresql_where=text("published_at IS NOT NULL")),
    )
    counters = Table(
        "outbox_counters",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("last_number", BigInteger, nullable=False),
    )
    leases = Table(
        "outbox_leases",
        metadata,
        Column("name", Text, primary_key=True),
        Column("holder", Uuid, nullable=False),
        Column("expires_at", DateTime(timezone=True), nullable=False),
    )
    return Outbox(events, counters, leases)


async def enqueue(
    session: AsyncSession, outbox: Outbox, *, topic: str, event_type: str, key: str, payload: bytes
) -> UUID:
    """Stores an event in the session's transaction and returns its id; the commit wakes the relay.

    Events with the same `key` on one topic are published in order. To keep the order of the changes of one
    row, change the row first (others then wait for its lock) and call this afterwards.

    The transaction contains no NOTIFY, because PostgreSQL commits transactions that notify one at a time.

    Args:
        session: A session of `todo_kit.data.database.session_factory`.
        outbox: Where to store the event.
        topic: The full name of the topic, prefix included.
        event_type: The CloudEvent type.
        key: Whose event it is; also the key of the broker's partitions.
        payload: A JSON object; the relay adds the member `sequence`, the event's number.
    """
    event_id = uuid.uuid4()
    row = insert(outbox.events).values(
        id=event_id, topic=topic, event_type=event_type, key=key, payload=payload
    )
    await session.execute(row)
    on_commit: Callable[[], None] | None = session.info.get(ON_COMMIT)
    if on_commit is not None:
        event.listen(session.sync_session, "after_commit", lambda _: on_commit(), once=True)
    return event_id


def enqueue_from(changed: CTE, outbox: Outbox) -> CTE:
    """Returns the part of a statement that stores an event for each row of `changed`, in its transaction.

    It is for `todo_kit.data.statements.Statements.enqueue`; `event_parameters` gives the parameters.
    """
    columns = [outbox.events.c[name] for name in ("id", "topic", "event_type", "key", "payload")]
    values = [bindparam(f"event_{column.name}", type_=column.type) for column in columns]
    rows = insert(outbox.events).from_select(columns, select(*values).select_from(changed))
    return rows.returning(outbox.events.c.id).cte("enqueued")


def event_parameters(event: NewEvent) -> dict[str, object]:
    """Returns the parameters of a statement with `enqueue_from`."""
    return {"event_id": uuid.uuid4()} | {f"event_{name}": value for name, value in event.items()}
