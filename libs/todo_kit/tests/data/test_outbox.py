"""The outbox on a real PostgreSQL: no event is lost, order by key is kept, repeats keep their id."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import orjson
import pytest
from sqlalchemy import MetaData, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from todo_embedded.postgres import PostgresServer
from todo_kit.bus import PublishError
from todo_kit.data.database import create_engine, session_factory
from todo_kit.data.outbox import Outbox, Relay, declare_outbox, enqueue, metrics
from todo_kit.data.outbox.claims import EVENTS_OF_A_KEY
from todo_kit.data.outbox.lease import LEASE_SECONDS
from todo_kit.data.outbox.table import ON_COMMIT
from todo_kit.data.outbox.upkeep import keep_up
from todo_kit.testing import MemoryPublisher, wait_until


@pytest.fixture(scope="module")
def outbox() -> Outbox:
    """Returns an outbox in its own schema."""
    return declare_outbox(MetaData(schema="example"))


@pytest.fixture(scope="module")
async def engine(postgres: PostgresServer, outbox: Outbox) -> AsyncIterator[AsyncEngine]:
    """Returns an engine of a database that has its tables."""
    engine = create_engine(postgres.create_database("outbox"))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA example"))
        await connection.run_sync(outbox.events.metadata.create_all)
    yield engine
    await engine.dispose()


@pytest.fixture(autouse=True)
async def _empty(engine: AsyncEngine, outbox: Outbox) -> None:
    async with engine.begin() as connection:
        for table in (outbox.events, outbox.counters, outbox.leases):
            await connection.execute(table.delete())


async def put(
    engine: AsyncEngine, outbox: Outbox, *items: tuple[str, int], relay: Relay | None = None
) -> list[UUID]:
    """Enqueues (key, number) pairs, each in its own transaction, in the process of `relay`."""
    ids = []
    sessions = session_factory(engine)
    if relay is not None:
        sessions.configure(info={ON_COMMIT: relay.wake})
    for key, number in items:
        async with sessions.begin() as session:
            payload = b'{"n":%d}' % number
            ids.append(await enqueue(session, outbox, topic="t", event_type="n", key=key, payload=payload))
    return ids


async def waiting(engine: AsyncEngine, outbox: Outbox) -> int:
    """Returns how many rows are not published."""
    async with engine.connect() as connection:
        count = select(func.count()).select_from(outbox.events).where(outbox.events.c.published_at.is_(None))
        return (await connection.execute(count)).scalar_one()


async def end_backoff(engine: AsyncEngine, outbox: Outbox) -> None:
    """Ends every back-off."""
    async with engine.begin() as connection:
        await connection.execute(update(outbox.events).values(retry_at=func.now() - timedelta(seconds=1)))


async def expire_leases(engine: AsyncEngine, outbox: Outbox) -> None:
    """Lets the time of every lease pass, as after the death of its holder."""
    async with engine.begin() as connection:
        long_ago = func.now() - timedelta(seconds=1)
        await connection.execute(update(outbox.leases).values(expires_at=long_ago))


def numbers(publisher: MemoryPublisher, key: str) -> list[int]:
    """Returns the published numbers of one key."""
    return [orjson.loads(event.data)["n"] for event in publisher.published if event.key == key]


async def test_enqueue_in_rolled_back_transaction_publishes_nothing(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    """The event of a change that is rolled back is not published."""
    async with session_factory(engine)() as session:
        await enqueue(session, outbox, topic="t", event_type="n", key="a", payload=b"1")
        await session.rollback()
    publisher = MemoryPublisher()
    await Relay(engine, outbox, publisher).relay_batch()
    assert publisher.published == []


async def test_relay_batch_publishes_in_order_with_the_row_id_as_event_id(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    """Consumers get the id that `enqueue` returned, and events of one key in the order of enqueuing."""
    ids = await put(engine, outbox, ("a", 1), ("b", 1), ("a", 2), ("a", 3))
    publisher = MemoryPublisher()
    await Relay(engine, outbox, publisher).relay_batch()
    assert numbers(publisher, "a") == [1, 2, 3]
    assert {UUID(event.event_id) for event in publisher.published} == set(ids)
    assert await waiting(engine, outbox) == 0


async def test_running_relay_is_woken_by_a_commit_of_its_process_without_polling(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    """An event is published at once, although the relay polls once an hour."""
    publisher = MemoryPublisher()
    relay = Relay(engine, outbox, publisher, poll_seconds=3600)
    async with relay.running():
        await put(engine, outbox, ("a", 1), relay=relay)
        await wait_until(lambda: publisher.published)
        await put(engine, outbox, ("a", 2), relay=relay)
        await wait_until(lambda: numbers(publisher, "a") == [1, 2])


async def test_commit_of_another_process_wakes_the_process_that_publishes(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    """A process without the lease sends a NOTIFY after its commit, and the holder of the lease publishes."""
    publisher, unused = MemoryPublisher(), MemoryPublisher()
    holder = Relay(engine, outbox, publisher, poll_seconds=3600)
    other = Relay(engine, outbox, unused, poll_seconds=3600)
    async with holder.running():
        await put(engine, outbox, ("a", 1), relay=holder)
        await wait_until(lambda: publisher.published)
        async with other.running():
            await put(engine, outbox, ("a", 2), relay=other)
            await wait_until(lambda: numbers(publisher, "a") == [1, 2])
    assert unused.published == []


async def test_events_of_a_key_are_numbered_without_gaps_and_a_repeat_keeps_its_number(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    """Each user's events count from 1 in the order of publishing, whatever was refused in between."""
    await put(engine, outbox, ("a", 1), ("b", 1), ("a", 2))
    publisher = MemoryPublisher()
    publisher.is_failing = True
    relay = Relay(engine, outbox, publisher)
    await relay.relay_batch()
    publisher.is_failing = False
    await put(engine, outbox, ("a", 3))
    await end_backoff(engine, outbox)
    await relay.relay_batch()
    sequences = [(event.key, orjson.loads(event.data)["sequence"]) for event in publisher.published]
    assert sorted(sequences) == [("a", 1), ("a", 2), ("a", 3), ("b", 1)]
    assert numbers(publisher, "a") == [1, 2, 3]


async def test_each_topic_of_a_key_is_numbered_by_itself(engine: AsyncEngine, outbox: Outbox) -> None:
    """A consumer of one topic sees no gaps because of events on another."""
    async with session_factory(engine).begin() as session:
        for topic in ("tasks", "reminders", "tasks"):
            await enqueue(session, outbox, topic=topic, event_type="n", key="a", payload=b"{}")
    publisher = MemoryPublisher()
    await Relay(engine, outbox, publisher).relay_batch()
    numbered = [(event.topic, orjson.loads(event.data)["sequence"]) for event in publisher.published]
    assert sorted(numbered) == [("reminders", 1), ("tasks", 1), ("tasks", 2)]


async def test_row_that_commits_late_is_published_after_the_numbered_ones(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    """A transaction that inserted first and commits last loses nothing and comes last."""
    publisher = MemoryPublisher()
    relay = Relay(engine, outbox, publisher)
    async with session_factory(engine).begin() as slow:
        await enqueue(slow, outbox, topic="t", event_type="n", key="a", payload=b'{"n":1}')
        await put(engine, outbox, ("a", 2))
        await relay.relay_batch()
    await relay.relay_batch()
    assert [orjson.loads(event.data) for event in publisher.published] == [
        {"n": 2, "sequence": 1},
        {"n": 1, "sequence": 2},
    ]


async def test_import_of_one_user_does_not_delay_another(engine: AsyncEngine, outbox: Outbox) -> None:
    """Behind 500 events of one key, an event of another key is in the first batch."""
    async with session_factory(engine).begin() as session:
        for number in range(500):
            payload = b'{"n":%d}' % number
            await enqueue(session, outbox, topic="t", event_type="n", key="importer", payload=payload)
    await put(engine, outbox, ("other", 1))
    publisher = MemoryPublisher()
    relay = Relay(engine, outbox, publisher)
    assert await relay.relay_batch()
    assert numbers(publisher, "other") == [1]
    assert numbers(publisher, "importer") == list(range(EVENTS_OF_A_KEY))
    while await relay.relay_batch():
        pass
    assert numbers(publisher, "importer") == list(range(500))


async def test_more_keys_than_a_batch_has_room_for_take_turns(engine: AsyncEngine, outbox: Outbox) -> None:
    """With 250 users waiting, each is published once, in as few batches as needed."""
    await put(engine, outbox, *((f"user-{number:03}", 1) for number in range(250)))
    publisher = MemoryPublisher()
    relay = Relay(engine, outbox, publisher)
    batches = 1
    while await relay.relay_batch():
        batches += 1
    assert sorted(event.key for event in publisher.published) == [f"user-{n:03}" for n in range(250)]
    assert batches == 4  # three, and one that begins again at the first key


async def test_frozen_holder_is_replaced_and_publishes_nothing_when_it_wakes(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    """Its lease runs out; when it goes on, it notices that by its own clock and stops at once."""
    frozen, going_on = asyncio.Event(), asyncio.Event()

    class Freezes(MemoryPublisher):
        async def publish(self, topic: str, data: bytes, *, event_id: str, event_type: str, key: str) -> None:
            await super().publish(topic, data, event_id=event_id, event_type=event_type, key=key)
            frozen.set()
            await going_on.wait()

    await put(engine, outbox, ("a", 1), ("a", 2))
    old, new = Freezes(), MemoryPublisher()
    first = Relay(engine, outbox, old)
    batch = asyncio.create_task(first.relay_batch())
    await frozen.wait()
    second = Relay(engine, outbox, new)
    assert not await second.relay_batch()
    assert new.published == []
    await expire_leases(engine, outbox)
    first._lease._asked_at -= LEASE_SECONDS
    third = Relay(engine, outbox, new)
    await third.relay_batch()
    going_on.set()
    await batch
    assert (numbers(old, "a"), numbers(new, "a")) == ([1], [1, 2])
    assert await waiting(engine, outbox) == 0


async def test_stopped_relay_publishes_what_was_committed_before(engine: AsyncEngine, outbox: Outbox) -> None:
    """A process that stops publishes the event of its last request."""
    publisher = MemoryPublisher()
    relay = Relay(engine, outbox, publisher, poll_seconds=3600)
    await put(engine, outbox, ("a", 1))
    relay.stop()
    await relay.run()
    assert numbers(publisher, "a") == [1]


async def test_failing_bus_keeps_rows_and_recovery_publishes_them_in_order(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    """While the bus refuses, rows wait and attempts are counted; later they are published in order."""
    await put(engine, outbox, ("a", 1), ("a", 2))
    publisher = MemoryPublisher()
    publisher.is_failing = True
    relay = Relay(engine, outbox, publisher)
    await relay.relay_batch()
    assert await waiting(engine, outbox) == 2
    async with engine.connect() as connection:
        rows = (
            (await connection.execute(select(outbox.events.c.attempts).order_by(outbox.events.c.position)))
            .scalars()
            .all()
        )
    assert rows == [1, 0]
    publisher.is_failing = False
    await relay.relay_batch()
    assert publisher.published == []  # still backing off
    await end_backoff(engine, outbox)
    await relay.relay_batch()
    assert numbers(publisher, "a") == [1, 2]


async def test_many_attempts_do_not_overflow_the_backoff(engine: AsyncEngine, outbox: Outbox) -> None:
    """After a night of failures the back-off is still half a minute."""
    await put(engine, outbox, ("a", 1))
    async with engine.begin() as connection:
        await connection.execute(update(outbox.events).values(attempts=100_000))
    publisher = MemoryPublisher()
    publisher.is_failing = True
    await Relay(engine, outbox, publisher).relay_batch()
    async with engine.connect() as connection:
        pause = (await connection.execute(select(outbox.events.c.retry_at - func.now()))).scalar_one()
    assert timedelta(seconds=25) < pause <= timedelta(seconds=30)


async def test_refused_event_delays_only_its_own_key(engine: AsyncEngine, outbox: Outbox) -> None:
    """An event that the bus never accepts does not delay other users' events."""

    class RefusesA(MemoryPublisher):
        async def publish(self, topic: str, data: bytes, *, event_id: str, event_type: str, key: str) -> None:
            if key == "a":
                raise PublishError("too large")
            await super().publish(topic, data, event_id=event_id, event_type=event_type, key=key)

    await put(engine, outbox, ("a", 1), ("b", 1), ("a", 2), ("b", 2))
    publisher = RefusesA()
    await Relay(engine, outbox, publisher).relay_batch()
    assert numbers(publisher, "b") == [1, 2]
    assert await waiting(engine, outbox) == 2


async def test_crash_between_publish_and_commit_repeats_the_event_with_its_id(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    """When a relay dies after publishing, the row is published again with the same id."""

    class KilledAfterwards(MemoryPublisher):
        async def publish(self, topic: str, data: bytes, *, event_id: str, event_type: str, key: str) -> None:
            await super().publish(topic, data, event_id=event_id, event_type=event_type, key=key)
            raise asyncio.CancelledError

    (event_id,) = await put(engine, outbox, ("a", 1))
    first, second = KilledAfterwards(), MemoryPublisher()
    task = asyncio.create_task(Relay(engine, outbox, first).relay_batch())
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    publishing = asyncio.gather(task, return_exceptions=True)
    await publishing
    await expire_leases(engine, outbox)
    await Relay(engine, outbox, second).relay_batch()
    assert [event.event_id for event in first.published + second.published] == [str(event_id)] * 2


async def test_two_relays_keep_the_order_of_each_key_and_publish_each_event_once(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    """Two replicas publish while events are written, and the order of each key is kept."""

    class Slow(MemoryPublisher):
        async def publish(self, topic: str, data: bytes, *, event_id: str, event_type: str, key: str) -> None:
            await asyncio.sleep(0.001)
            await super().publish(topic, data, event_id=event_id, event_type=event_type, key=key)

    publisher = Slow()
    keys = [f"user-{number}" for number in range(4)]
    relays = [Relay(engine, outbox, publisher, poll_seconds=0.01) for _ in range(2)]
    async with relays[0].running(), relays[1].running():
        await asyncio.gather(*(put(engine, outbox, *((key, n) for n in range(50))) for key in keys))
        await wait_until(lambda: len(publisher.published) >= 200)
    assert {key: numbers(publisher, key) for key in keys} == {key: list(range(50)) for key in keys}


async def test_upkeep_measures_the_backlog_and_prunes_old_published_rows(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    """Gauges show the backlog and its age; published rows are deleted after a day, waiting ones never."""
    await put(engine, outbox, ("a", 1), ("b", 2))
    async with engine.begin() as connection:
        long_ago = func.now() - timedelta(days=2)
        await connection.execute(update(outbox.events).values(created_at=long_ago))
        await connection.execute(
            update(outbox.events).where(outbox.events.c.key == "a").values(published_at=long_ago)
        )
    await keep_up(engine, outbox.events)
    async with engine.connect() as connection:
        assert (await connection.execute(select(outbox.events.c.key))).scalars().all() == ["b"]
    assert metrics.BACKLOG.collect()[0].samples[0].value == 1
    assert metrics.OLDEST_AGE.collect()[0].samples[0].value == pytest.approx(2 * 86400, abs=60)


async def test_running_relay_survives_a_database_that_refuses(engine: AsyncEngine, outbox: Outbox) -> None:
    """After a failure of the database the relay goes on by itself."""
    publisher = MemoryPublisher()
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE example.outbox RENAME TO away"))
    with capture_logs() as logs:
        async with Relay(engine, outbox, publisher, poll_seconds=0.05).running():
            await wait_until(lambda: [line for line in logs if line["event"] == "outbox_relay_failed"])
            async with engine.begin() as connection:
                await connection.execute(text("ALTER TABLE example.away RENAME TO outbox"))
            await put(engine, outbox, ("a", 1))
            await wait_until(lambda: numbers(publisher, "a") == [1])
