"""One open stream: a bounded queue of encoded events on their way to one reader, and why it ended."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from enum import StrEnum

COALESCED_CHUNKS = 64
"""Events joined into one write: five times the deliveries a second of one write each (design facts 2.3)."""


class EndReason(StrEnum):
    """Why a stream ended; the values are labels of a metric and of the log."""

    DISCONNECTED = "disconnected"
    EXPIRED = "token-expired"
    OVERFLOWED = "reader-too-slow"
    DRAINED = "gateway-stopping"


class Stream:
    """Events for one reader. Nothing here waits for the reader, so no reader can slow another."""

    def __init__(self, user_id: str, queue_events: int, opening: Iterable[bytes] = ()) -> None:
        """Start with the chunks of `opening`, which do not count against `queue_events`."""
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
        """True when the reader has been given everything."""
        return not self._queue

    def on_end(self, callback: Callable[[EndReason], None]) -> None:
        """Call `callback` when the stream ends, at once if it has ended already."""
        self._on_end = callback
        if self.end_reason is not None:
            callback(self.end_reason)

    def push(self, chunk: bytes) -> None:
        """Queue an encoded event. A full queue ends the stream: the client resumes from its last event."""
        if self.end_reason is not None:
            return
        if len(self._queue) >= self._limit:
            self.end(EndReason.OVERFLOWED)
            return
        self._queue.append(chunk)
        self._wake.set()

    def end(self, reason: EndReason, farewell: bytes = b"") -> None:
        """End the stream after what is queued and `farewell`; the first reason counts."""
        if self.end_reason is not None:
            return
        self.end_reason = reason
        if farewell:
            self._queue.append(farewell)
        self._wake.set()
        if self._on_end is not None:
            self._on_end(reason)

    async def next_batch(self) -> bytes | None:
        """Wait for events and return as many as go into one write; None when the stream is over."""
        while not self._queue:
            if self.end_reason is not None:
                return None
            self._wake.clear()
            await self._wake.wait()
        if len(self._queue) == 1:
            return self._queue.popleft()
        return b"".join([self._queue.popleft() for _ in range(min(len(self._queue), COALESCED_CHUNKS))])
