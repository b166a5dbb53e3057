"""Publishes the events that wait in an outbox table."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, Table, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from todo_kit.bus import Publisher, PublishError
from todo_kit.data.outbox import metrics
from todo_kit.data.outbox.listener import listen
from todo_kit.data.outbox.upkeep import keep_up
from todo_kit.logging import get_logger

BATCH_ROWS = 200
BATCH_SECONDS = 10.0  # then a batch starts no further publish, because its transaction must be short
CONCURRENT_KEYS = 16
POLL_SECONDS = 1.0
UPKEEP_SECONDS = 5.0
FIRST_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0  # a bus that works again is used again within half a minute
STOP_TIMEOUT_SECONDS = 15.0  # enough for a batch and its commit

_log = get_logger(__name__)


@dataclass
class _BatchResult:
    """Positions of the rows of one batch."""

    published: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)


class Relay:
    """Publishes the rows of one outbox table, in order by key, from any number of processes.

    Each batch is one transaction that holds an advisory lock, so one process publishes at a time, and another
    takes over when it dies. (With `FOR UPDATE SKIP LOCKED` two processes could hold neighbouring rows of one
    key and publish them in either order.) Within a batch, different keys are published concurrently. A row
    that the bus refuses delays only the rows with its key. When a process dies between publishing and commit,
    its rows are published again, with the same ids.
    """

    def __init__(
        self, engine: AsyncEngine, table: Table, publisher: Publisher, *, poll_seconds: float = POLL_SECONDS
    ) -> None:
        """Prepares; `poll_seconds` limits how long an event waits when its notification is lost."""
        self._engine = engine
        self._table = table
        self._publisher = publisher
        self._poll_seconds = poll_seconds
        self._wake = asyncio.Event()
        self._is_stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the relay in the background; at the end of the block, stops it and waits up to 15 s."""
        task = asyncio.create_task(self.run(), name="outbox-relay")
        try:
            yield
        finally:
            self.stop()
            await asyncio.wait({task}, timeout=STOP_TIMEOUT_SECONDS)
            task.cancel()  # has no effect if it has ended
            with suppress(asyncio.CancelledError):
                await task

    def stop(self) -> None:
        """Makes `run` return after one more batch, which publishes the events of the last requests."""
        self._is_stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Publishes until `stop` is called; after a failure of database or bus it waits and goes on."""
        listener = asyncio.create_task(listen(self._engine, self._table, self._wake), name="outbox-listener")
        failures = 0
        upkeep_at = 0.0
        try:
            while True:
                is_last = self._is_stopping
                self._wake.clear()
                pause = self._poll_seconds
                try:
                    if await self.relay_batch():
                        pause = 0.0
                    if time.monotonic() >= upkeep_at:
                        await keep_up(self._engine, self._table)
                        upkeep_at = time.monotonic() + UPKEEP_SECONDS
                    failures = 0
                except Exception:  # noqa: BLE001  # the relay must go on after any failure
                    pause = min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(failures, 6))
                    failures += 1
                    _log.exception("outbox_relay_failed", retry_in_seconds=pause)
                if is_last:
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), timeout=pause)
        finally:
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener

    async def relay_batch(self) -> bool:
        """Publishes up to `BATCH_ROWS` waiting rows; returns whether more may wait.

        Does nothing while another process holds the lock. Errors of the database are not caught.
        """
        async with self._engine.begin() as connection:
            lock = func.hashtextextended(f"outbox-relay:{self._table.schema}", 0)
            if not await connection.scalar(select(func.pg_try_advisory_xact_lock(lock))):
                return False
            rows = (await connection.execute(self._waiting())).all()
            if not rows:
                return False
            result = await self._publish(rows)
            await self._record(connection, result)
        return len(rows) == BATCH_ROWS

    def _waiting(self) -> Any:
        """Returns the query for the oldest waiting rows, without those whose key is backing off."""
        table, earlier = self._table, self._table.alias("earlier")
        is_backing_off = (
            select(1)
            .where(
                earlier.c.key == table.c.key,
                earlier.c.published_at.is_(None),
                earlier.c.retry_at > func.now(),
            )
            .exists()
        )
        return (
            select(
                table.c.position,
                table.c.id,
                table.c.topic,
                table.c.event_type,
                table.c.key,
                table.c.payload,
                table.c.attempts,
            )
            .where(table.c.published_at.is_(None), ~is_backing_off)
            .order_by(table.c.position)
            .limit(BATCH_ROWS)
        )

    async def _publish(self, rows: Iterable[Row[Any]]) -> _BatchResult:
        by_key: dict[str, list[Row[Any]]] = defaultdict(list)
        for row in rows:
            by_key[row.key].append(row)
        result = _BatchResult()
        slots = asyncio.Semaphore(CONCURRENT_KEYS)
        deadline = time.monotonic() + BATCH_SECONDS

        async def publish_in_order(rows_of_key: list[Row[Any]]) -> None:
            async with slots:
                for row in rows_of_key:
                    if time.monotonic() >= deadline:
                        return
                    if not await self._publish_row(row):
                        result.failed.append(row.position)
                        return
                    result.published.append(row.position)

        async with asyncio.TaskGroup() as group:
            for rows_of_key in by_key.values():
                group.create_task(publish_in_order(rows_of_key))
        return result

    async def _publish_row(self, row: Row[Any]) -> bool:
        try:
            await self._publisher.publish(
                row.topic, row.payload, event_id=str(row.id), event_type=row.event_type, key=row.key
            )
        except PublishError as error:
            metrics.FAILED.labels(row.topic).inc()
            _log.warning(
                "outbox_publish_failed", event_id=str(row.id), tries=row.attempts + 1, error=str(error)
            )
            return False
        metrics.PUBLISHED.labels(row.topic, row.event_type).inc()
        return True

    async def _record(self, connection: AsyncConnection, result: _BatchResult) -> None:
        table = self._table
        if result.published:
            await connection.execute(
                update(table)
                .where(table.c.position.in_(result.published))
                .values(published_at=func.clock_timestamp(), attempts=table.c.attempts + 1, retry_at=None)
            )
        if result.failed:
            doubled = FIRST_BACKOFF_SECONDS * func.power(2, func.least(table.c.attempts, 6))
            seconds = func.least(MAX_BACKOFF_SECONDS, doubled)
            await connection.execute(
                update(table)
                .where(table.c.position.in_(result.failed))
                .values(
                    attempts=table.c.attempts + 1,
                    retry_at=func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds),
                )
            )
