"""What a relay reads and writes: the events to publish next, with their numbers, and what became of them."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from todo_kit.data.outbox.table import Outbox

KEYS_AT_ONCE = 100
EVENTS_OF_A_KEY = 20  # one user's import of thousands delays nobody else's events by more than these
FIRST_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0  # a bus that works again is used again within half a minute

# One statement, so that it cannot be interrupted half-way. `keys` steps through the index from key to key
# instead of reading all that waits; LIMIT stops it.
_CLAIM = """
WITH RECURSIVE keys AS (
    (SELECT key FROM {schema}.outbox WHERE published_at IS NULL AND key > :after ORDER BY key LIMIT 1)
    UNION ALL
    SELECT (
        SELECT next.key FROM {schema}.outbox AS next
        WHERE next.published_at IS NULL AND next.key > keys.key ORDER BY next.key LIMIT 1
    )
    FROM keys WHERE keys.key IS NOT NULL
),
chosen AS (
    SELECT key FROM keys
    WHERE key IS NOT NULL AND NOT coalesce((
        SELECT first.retry_at > clock_timestamp() FROM {schema}.outbox AS first
        WHERE first.published_at IS NULL AND first.key = keys.key
        ORDER BY first.number, first.position LIMIT 1
    ), false)
    LIMIT :keys
),
claimed AS (
    SELECT waiting.*, row_number() OVER (
        PARTITION BY waiting.topic, waiting.key, waiting.number IS NULL ORDER BY waiting.position
    ) AS rank
    FROM chosen CROSS JOIN LATERAL (
        SELECT position, id, topic, event_type, key, payload, attempts, number FROM {schema}.outbox
        WHERE published_at IS NULL AND key = chosen.key ORDER BY number, position LIMIT :events
    ) AS waiting
),
new AS (
    SELECT topic, key, count(*) AS amount FROM claimed WHERE number IS NULL
    GROUP BY topic, key ORDER BY topic, key
),
counted AS (
    INSERT INTO {schema}.outbox_counters AS counters (topic, key, last_number)
    SELECT topic, key, amount FROM new
    ON CONFLICT (topic, key) DO UPDATE SET last_number = counters.last_number + EXCLUDED.last_number
    RETURNING topic, key, last_number
),
numbered AS (
    UPDATE {schema}.outbox AS event SET number = counted.last_number - new.amount + claimed.rank
    FROM claimed JOIN new USING (topic, key) JOIN counted USING (topic, key)
    WHERE claimed.number IS NULL AND event.position = claimed.position
    RETURNING event.position, event.number
)
SELECT
    claimed.position, claimed.id, claimed.topic, claimed.event_type, claimed.key, claimed.payload,
    claimed.attempts, coalesce(claimed.number, numbered.number) AS number
FROM claimed LEFT JOIN numbered ON numbered.position = claimed.position
ORDER BY claimed.key, claimed.topic, coalesce(claimed.number, numbered.number)
"""


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """A row that is to be published."""

    position: int
    id: UUID
    topic: str
    event_type: str
    key: str
    payload: bytes
    attempts: int
    number: int

    @property
    def numbered_payload(self) -> bytes:
        """The payload, a JSON object, with the number as its last member `sequence`."""
        start = self.payload.rstrip().removesuffix(b"}").rstrip()
        separator = b"" if start == b"{" else b","
        return b'%s%s"sequence":%d}' % (start, separator, self.number)


@dataclass
class BatchResult:
    """Positions of the rows of one batch."""

    published: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)


async def claim(connection: AsyncConnection, outbox: Outbox, *, after: str) -> list[list[ClaimedEvent]]:
    """Returns the oldest waiting events of up to `KEYS_AT_ONCE` keys, a list for each key, and numbers them.

    Keys follow `after` in the order of the index. A key whose first event is backing off is left out.
    """
    statement = text(_CLAIM.format(schema=f'"{outbox.schema}"'))
    values = {"after": after, "keys": KEYS_AT_ONCE, "events": EVENTS_OF_A_KEY}
    by_key: dict[str, list[ClaimedEvent]] = {}
    for row in await connection.execute(statement, values):
        by_key.setdefault(row.key, []).append(ClaimedEvent(**row._mapping))
    return list(by_key.values())


async def record(connection: AsyncConnection, outbox: Outbox, result: BatchResult) -> None:
    """Stores which events were published, and until when the keys of the others wait."""
    table = outbox.events
    if result.published:
        await connection.execute(
            update(table)
            .where(table.c.position == func.any(result.published))
            .values(published_at=func.clock_timestamp(), attempts=table.c.attempts + 1, retry_at=None)
        )
    if result.failed:
        doubled = FIRST_BACKOFF_SECONDS * func.power(2, func.least(table.c.attempts, 6))
        seconds = func.least(MAX_BACKOFF_SECONDS, doubled)
        await connection.execute(
            update(table)
            .where(table.c.position == func.any(result.failed))
            .values(
                attempts=table.c.attempts + 1,
                retry_at=func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds),
            )
        )
