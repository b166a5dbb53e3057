"""Publishes the events that wait in an outbox."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy.ext.asyncio import AsyncEngine

from todo_kit.bus import Publisher, PublishError
from todo_kit.data.outbox import metrics
from todo_kit.data.outbox.claims import (
    EVENTS_OF_A_KEY,
    FIRST_BACKOFF_SECONDS,
    KEYS_AT_ONCE,
    MAX_BACKOFF_SECONDS,
    BatchResult,
    ClaimedEvent,
    claim,
    record,
)
from todo_kit.data.outbox.lease import Lease
from todo_kit.data.outbox.notifications import listen, notify
from todo_kit.data.outbox.table import Outbox
from todo_kit.data.outbox.upkeep import keep_up
from todo_kit.logging import get_logger

BATCH_SECONDS = 2.0  # then a batch starts no further publish: the lease must outlast it and one time-out
CONCURRENT_KEYS = 64
POLL_SECONDS = 1.0
UPKEEP_SECONDS = 5.0
STOP_TIMEOUT_SECONDS = 15.0  # enough for a batch and what it records

_log = get_logger(__name__)


class Relay:
    """Publishes the events of one outbox, in order by key, from any number of processes.

    One process publishes at a time: the holder of a lease, which another process takes over when its holder
    dies or freezes. Nothing is published inside a transaction, so a frozen process holds no lock. A process
    that finds events of its own and has no lease tells the holder, by a NOTIFY of its own.

    Keys take turns, a few events each, and different keys are published concurrently. An event that the bus
    refuses delays only the events with its key. When a process dies between publishing an event and
    recording that, the event is published again, with the same id and number. Whoever keeps only the first
    delivery of each id sees the events of a key on a topic in order.
    """

    def __init__(
        self, engine: AsyncEngine, outbox: Outbox, publisher: Publisher, *, poll_seconds: float = POLL_SECONDS
    ) -> None:
        """Prepares; `poll_seconds` limits how long an event waits when nothing wakes the holder."""
        # Each statement commits by itself, so that a process frozen between two of them holds no lock.
        self._engine = engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._outbox = outbox
        self._publisher = publisher
        self._poll_seconds = poll_seconds
        self._lease = Lease(engine, outbox.leases, "relay")
        self._wake = asyncio.Event()
        self._has_committed = False
        self._is_stopping = False
        self._last_key = ""
        self._listener: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Says that a transaction of this process which enqueued events was committed."""
        self._has_committed = True
        self._wake.set()

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
                    await self._listen_while_holder()
                    if time.monotonic() >= upkeep_at:
                        await keep_up(self._engine, self._outbox.events)
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
            await self._stop_listening()
            if self._lease.seconds_left:
                await self._lease.release()

    async def relay_batch(self) -> bool:
        """Publishes the next events, if this process holds the lease; returns whether more may wait.

        Without the lease it tells the holder of events that this process has committed. Errors of the
        database are not caught.
        """
        has_committed, self._has_committed = self._has_committed, False
        if not await self._lease.ensure():
            if has_committed:
                await notify(self._engine, self._outbox)
            return False
        first_key = self._last_key
        async with self._engine.begin() as connection:
            waiting = await claim(connection, self._outbox, after=first_key)
        is_full = len(waiting) == KEYS_AT_ONCE
        self._last_key = waiting[-1][0].key if is_full else ""
        if waiting:
            result = await self._publish(waiting)
            async with self._engine.begin() as connection:
                await record(connection, self._outbox, result)
        return is_full or first_key != "" or any(len(events) == EVENTS_OF_A_KEY for events in waiting)

    async def _publish(self, waiting: list[list[ClaimedEvent]]) -> BatchResult:
        result = BatchResult()
        slots = asyncio.Semaphore(CONCURRENT_KEYS)
        deadline = time.monotonic() + BATCH_SECONDS

        async def publish_in_order(events: list[ClaimedEvent]) -> None:
            async with slots:
                for event in events:
                    if time.monotonic() >= deadline or not self._lease.seconds_left:
                        return
                    if not await self._publish_event(event):
                        result.failed.append(event.position)
                        return
                    result.published.append(event.position)

        async with asyncio.TaskGroup() as group:
            for events in waiting:
                group.create_task(publish_in_order(events))
        return result

    async def _publish_event(self, event: ClaimedEvent) -> bool:
        try:
            await self._publisher.publish(
                event.topic,
                event.numbered_payload,
                event_id=str(event.id),
                event_type=event.event_type,
                key=event.key,
            )
        except PublishError as error:
            metrics.FAILED.labels(event.topic).inc()
            _log.warning(
                "outbox_publish_failed", event_id=str(event.id), tries=event.attempts + 1, error=str(error)
            )
            return False
        metrics.PUBLISHED.labels(event.topic, event.event_type).inc()
        return True

    async def _listen_while_holder(self) -> None:
        if not self._lease.seconds_left:
            await self._stop_listening()
        elif self._listener is None:
            self._listener = asyncio.create_task(
                listen(self._engine, self._outbox, self._wake), name="outbox-listener"
            )

    async def _stop_listening(self) -> None:
        if self._listener is not None:
            listener, self._listener = self._listener, None
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener
