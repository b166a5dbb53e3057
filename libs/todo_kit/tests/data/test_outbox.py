"""The outbox on a real PostgreSQL: no event is lost, order by key is kept, repeats keep their id."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import MetaData, Table, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from todo_embedded.postgres import PostgresServer
from todo_kit.bus import PublishError
from todo_kit.data.database import create_engine, session_factory
from todo_kit.data.outbox import Relay, enqueue, metrics, outbox_table
from todo_kit.data.outbox.upkeep import keep_up
from todo_kit.testing import MemoryPublisher, wait_until


@pytest.fixture(scope="module")
def table() -> Table:
    """Returns an outbox in its own schema."""
    return outbox_table(MetaData(schema="example"))


@pytest.fixture(scope="module")
async def engine(postgres: PostgresServer, table: Table) -> AsyncIterator[AsyncEngine]:
    """Returns an engine of a database that has the table."""
    engine = create_engine(postgres.create_database("outbox"))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA example"))
        await connection.run_sync(table.metadata.create_all)
    yield engine
    await engine.dispose()


@pytest.fixture(autouse=True)
async def _empty(engine: AsyncEngine, table: Table) -> None:
    async with engine.begin() as connection:
        await connection.execute(table.delete())


async def put(engine: AsyncEngine, table: Table, *items: tuple[str, int]) -> list[UUID]:
    """Enqueues (key, number) pairs, each in its own transaction."""
    ids = []
    for key, number in items:
        async with session_factory(engine).begin() as session:
            payload = b"%d" % number
            ids.append(await enqueue(session, table, topic="t", event_type="n", key=key, payload=payload))
    return ids


async def waiting(engine: AsyncEngine, table: Table) -> int:
    """Returns how many rows are not published."""
    async with engine.connect() as connection:
        count = select(func.count()).select_from(table).where(table.c.published_at.is_(None))
        return (await connection.execute(count)).scalar_one()


async def end_backoff(engine: AsyncEngine, table: Table) -> None:
    """Ends every back-off."""
    async with engine.begin() as connection:
        await connection.execute(update(table).values(retry_at=func.now() - timedelta(seconds=1)))


def numbers(publisher: MemoryPublisher, key: str) -> list[int]:
    """Returns the published numbers of one key."""
    return [int(event.data) for event in publisher.published if event.key == key]


async def test_enqueue_in_rolled_back_transaction_publishes_nothing(
    engine: AsyncEngine, table: Table
) -> None:
    """The event of a change that is rolled back is not published."""
    async with session_factory(engine)() as session:
        await enqueue(session, table, topic="t", event_type="n", key="a", payload=b"1")
        await session.rollback()
    publisher = MemoryPublisher()
    await Relay(engine, table, publisher).relay_batch()
    assert publisher.published == []


async def test_relay_batch_publishes_in_order_with_the_row_id_as_event_id(
    engine: AsyncEngine, table: Table
) -> None:
    """Consumers get the id that `enqueue` returned, and events of one key in the order of enqueuing."""
    ids = await put(engine, table, ("a", 1), ("b", 1), ("a", 2), ("a", 3))
    publisher = MemoryPublisher()
    await Relay(engine, table, publisher).relay_batch()
    assert numbers(publisher, "a") == [1, 2, 3]
    assert {UUID(event.event_id) for event in publisher.published} == set(ids)
    assert await waiting(engine, table) == 0


async def test_running_relay_is_woken_by_commit_without_polling(engine: AsyncEngine, table: Table) -> None:
    """NOTIFY wakes the relay: an event is published at once, although the relay polls once an hour."""
    publisher = MemoryPublisher()
    async with Relay(engine, table, publisher, poll_seconds=3600).running():
        await put(engine, table, ("a", 1))
        await wait_until(lambda: publisher.published)
        await put(engine, table, ("a", 2))
        await wait_until(lambda: numbers(publisher, "a") == [1, 2])


async def test_stopped_relay_publishes_what_was_committed_before(engine: AsyncEngine, table: Table) -> None:
    """A process that stops publishes the event of its last request."""
    publisher = MemoryPublisher()
    relay = Relay(engine, table, publisher, poll_seconds=3600)
    await put(engine, table, ("a", 1))
    relay.stop()
    await relay.run()
    assert numbers(publisher, "a") == [1]


async def test_failing_bus_keeps_rows_and_recovery_publishes_them_in_order(
    engine: AsyncEngine, table: Table
) -> None:
    """While the bus refuses, rows wait and attempts are counted; later they are published in order."""
    await put(engine, table, ("a", 1), ("a", 2))
    publisher = MemoryPublisher()
    publisher.is_failing = True
    relay = Relay(engine, table, publisher)
    await relay.relay_batch()
    assert await waiting(engine, table) == 2
    async with engine.connect() as connection:
        rows = (await connection.execute(select(table.c.attempts).order_by(table.c.position))).scalars().all()
    assert rows == [1, 0]
    publisher.is_failing = False
    await relay.relay_batch()
    assert publisher.published == []  # still backing off
    await end_backoff(engine, table)
    await relay.relay_batch()
    assert numbers(publisher, "a") == [1, 2]


async def test_many_attempts_do_not_overflow_the_backoff(engine: AsyncEngine, table: Table) -> None:
    """After a night of failures the back-off is still half a minute."""
    await put(engine, table, ("a", 1))
    async with engine.begin() as connection:
        await connection.execute(update(table).values(attempts=100_000))
    publisher = MemoryPublisher()
    publisher.is_failing = True
    await Relay(engine, table, publisher).relay_batch()
    async with engine.connect() as connection:
        pause = (await connection.execute(select(table.c.retry_at - func.now()))).scalar_one()
    assert timedelta(seconds=25) < pause <= timedelta(seconds=30)


async def test_refused_event_delays_only_its_own_key(engine: AsyncEngine, table: Table) -> None:
    """An event that the bus never accepts does not delay other users' events."""

    class RefusesA(MemoryPublisher):
        async def publish(self, topic: str, data: bytes, *, event_id: str, event_type: str, key: str) -> None:
            if key == "a":
                raise PublishError("too large")
            await super().publish(topic, data, event_id=event_id, event_type=event_type, key=key)

    await put(engine, table, ("a", 1), ("b", 1), ("a", 2), ("b", 2))
    publisher = RefusesA()
    await Relay(engine, table, publisher).relay_batch()
    assert numbers(publisher, "b") == [1, 2]
    assert await waiting(engine, table) == 2


async def test_crash_between_publish_and_commit_repeats_the_event_with_its_id(
    engine: AsyncEngine, table: Table
) -> None:
    """When a relay dies after publishing, the row is published again with the same id."""

    class KilledAfterwards(MemoryPublisher):
        async def publish(self, topic: str, data: bytes, *, event_id: str, event_type: str, key: str) -> None:
            await super().publish(topic, data, event_id=event_id, event_type=event_type, key=key)
            raise asyncio.CancelledError

    (event_id,) = await put(engine, table, ("a", 1))
    first, second = KilledAfterwards(), MemoryPublisher()
    task = asyncio.create_task(Relay(engine, table, first).relay_batch())
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    publishing = asyncio.gather(task, return_exceptions=True)
    await publishing
    await Relay(engine, table, second).relay_batch()
    assert [event.event_id for event in first.published + second.published] == [str(event_id)] * 2


async def test_two_relays_keep_the_order_of_each_key_and_publish_each_event_once(
    engine: AsyncEngine, table: Table
) -> None:
    """Two replicas publish while events are written, and the order of each key is kept."""

    class Slow(MemoryPublisher):
        async def publish(self, topic: str, data: bytes, *, event_id: str, event_type: str, key: str) -> None:
            await asyncio.sleep(0.001)
            await super().publish(topic, data, event_id=event_id, event_type=event_type, key=key)

    publisher = Slow()
    keys = [f"user-{number}" for number in range(4)]
    relays = [Relay(engine, table, publisher, poll_seconds=0.01) for _ in range(2)]
    async with relays[0].running(), relays[1].running():
        await asyncio.gather(*(put(engine, table, *((key, n) for n in range(50))) for key in keys))
        await wait_until(lambda: len(publisher.published) >= 200)
    assert {key: numbers(publisher, key) for key in keys} == {key: list(range(50)) for key in keys}


async def test_upkeep_measures_the_backlog_and_prunes_old_published_rows(
    engine: AsyncEngine, table: Table
) -> None:
    """Gauges show the backlog and its age; published rows are deleted after a day, waiting ones never."""
    await put(engine, table, ("a", 1), ("b", 2))
    async with engine.begin() as connection:
        long_ago = func.now() - timedelta(days=2)
        await connection.execute(update(table).values(created_at=long_ago))
        await connection.execute(update(table).where(table.c.key == "a").values(published_at=long_ago))
    await keep_up(engine, table)
    async with engine.connect() as connection:
        assert (await connection.execute(select(table.c.key))).scalars().all() == ["b"]
    assert metrics.BACKLOG.collect()[0].samples[0].value == 1
    assert metrics.OLDEST_AGE.collect()[0].samples[0].value == pytest.approx(2 * 86400, abs=60)


async def test_running_relay_survives_a_database_that_refuses(engine: AsyncEngine, table: Table) -> None:
    """After a failure of the database the relay goes on by itself."""
    publisher = MemoryPublisher()
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE example.outbox RENAME TO away"))
    with capture_logs() as logs:
        async with Relay(engine, table, publisher, poll_seconds=0.05).running():
            await wait_until(lambda: [line for line in logs if line["event"] == "outbox_relay_failed"])
            async with engine.begin() as connection:
                await connection.execute(text("ALTER TABLE example.away RENAME TO outbox"))
            await put(engine, table, ("a", 1))
            await wait_until(lambda: numbers(publisher, "a") == [1])
