"""An open stream: a bounded queue of encoded events for one reader, and the reason why it ended."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from enum import StrEnum

COALESCED_CHUNKS = 64
"""Events joined into one write; a write per event delivers a fifth as many a second (design facts 2.3)."""


class EndReason(StrEnum):
    """Why a stream ended; the values are labels of a metric and of the log."""

    DISCONNECTED = "disconnected"
    EXPIRED = "token-expired"
    OVERFLOWED = "reader-too-slow"
    DRAINED = "gateway-stopping"


class Stream:
    """The events for one reader; no method waits for the reader, so a slow reader delays no other."""

    def __init__(self, user_id: str, queue_events: int, opening: Iterable[bytes] = ()) -> None:
        """Starts with the chunks of `opening`, which do not count towards `queue_events`."""
        self.user_id = user_id
        self.end_reason: EndReason | None = None
        self._queue = deque(opening)
        self._limit = queue_events + len(self._queue)
        self._wake = asyncio.Event()
        self._on_end: Callable[[EndReason], None] | None = None
        if self._queue:
            self._wake.set()

    @property
    def is_idle(self) -> bool:
        """Whether the queue is empty."""
        return not self._queue

    def on_end(self, callback: Callable[[EndReason], None]) -> None:
        """Calls `callback` when the stream ends, immediately if it has ended already."""
        self._on_end = callback
        if self.end_reason is not None:
            callback(self.end_reason)

    def push(self, chunk: bytes) -> None:
        """Queues an encoded event; if the queue is full, ends the stream, and the client resumes."""
        if self.end_reason is not None:
            return
        if len(self._queue) >= self._limit:
            self.end(EndReason.OVERFLOWED)
            return
        self._queue.append(chunk)
        self._wake.set()

    def end(self, reason: EndReason, last_chunk: bytes = b"") -> None:
        """Ends the stream after the queued events and `last_chunk`; a second call has no effect."""
        if self.end_reason is not None:
            return
        self.end_reason = reason
        if last_chunk:
            self._queue.append(last_chunk)
        self._wake.set()
        if self._on_end is not None:
            self._on_end(reason)

    async def next_batch(self) -> bytes | None:
        """Waits for events and returns those of the next write; None when the stream has ended."""
        while not self._queue:
            if self.end_reason is not None:
                return None
            self._wake.clear()
            await self._wake.wait()
        if len(self._queue) == 1:
            return self._queue.popleft()
        return b"".join([self._queue.popleft() for _ in range(min(len(self._queue), COALESCED_CHUNKS))])
