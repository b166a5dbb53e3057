"""The registry of open streams by user: delivers events, resumes streams and ends all of them at shutdown."""

import asyncio
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from todo_sse_gateway.broadcast import wire
from todo_sse_gateway.broadcast.replay import Arrival, ReplayLog
from todo_sse_gateway.broadcast.stream import EndReason, Stream
from todo_sse_gateway.errors import TooManyStreamsError
from todo_sse_gateway.limits import Limits


@dataclass(frozen=True, slots=True)
class Delivery:
    """How many streams got an event, and whether they got a reset instead of it."""

    streams: int
    is_reset: bool


class Hub:
    """Delivers every event of a user once to each open stream of that user, in the order of arrival.

    All methods except `drain` run without awaiting, so a stream that opens while events arrive gets each of
    them exactly once, either replayed or live.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        """Creates an empty hub; `clock` is the monotonic clock of the replay log, in seconds."""
        self._limits = limits
        self._replay = ReplayLog(limits, clock)
        self._streams: dict[str, set[Stream]] = {}

    def __len__(self) -> int:
        """Counts the open streams."""
        return sum(map(len, self._streams.values()))

    def __iter__(self) -> Iterator[Stream]:
        """Iterates over the open streams of all users."""
        for streams in self._streams.values():
            yield from streams

    def open(self, user_id: str, last_event_id: str | None) -> tuple[Stream, bool]:
        """Opens a stream of the user that continues after `last_event_id`; None starts with the next event.

        Returns:
            The stream, and whether it was reset because the missed events cannot be replayed.

        Raises:
            TooManyStreamsError: The user has as many streams as a user may have.
        """
        if len(self._streams.get(user_id, ())) >= self._limits.streams_per_user:
            raise TooManyStreamsError(self._limits.streams_per_user)
        opening = [wire.encode_opening(self._retry_milliseconds())]
        missed = None if last_event_id is None else self._replay.after(user_id, last_event_id)
        is_reset = last_event_id is not None and missed is None
        if last_event_id is None:
            opening.append(wire.encode_ready(self._replay.position))
        elif missed is None:
            opening.append(wire.encode_reset(self._replay.position))
        else:
            opening.extend(missed)
        stream = Stream(user_id, self._limits.queue_events, opening)
        self._streams.setdefault(user_id, set()).add(stream)
        return stream, is_reset

    def discard(self, stream: Stream) -> None:
        """Removes a stream whose response has ended."""
        streams = self._streams[stream.user_id]
        streams.remove(stream)
        if not streams:
            del self._streams[stream.user_id]

    def publish(self, user_id: str, arrival: Arrival) -> Delivery | None:
        """Delivers an event to the user's streams and keeps it for streams that resume.

        If an event before it is missing, the streams are reset instead: their clients read everything again.

        Returns:
            What was delivered; None when the event was seen before.

        Raises:
            ValueError: The event cannot be encoded.
        """
        kept = self._replay.append(user_id, arrival)
        if kept is None:
            return None
        streams = self._streams.get(user_id, ())
        for stream in streams:
            stream.push(kept.chunk)
        return Delivery(len(streams), kept.is_gap)

    async def drain(self, spread_seconds: float) -> None:
        """Sends `bye` to all open streams and ends them, in waves over at most `spread_seconds`.

        Clients then reconnect to the other replicas a few at a time. A stream that is opened meanwhile stays
        open.
        """
        streams = list(self)
        wave = max(self._limits.wave_streams, math.ceil(len(streams) / self._limits.drain_waves))
        for start in range(0, len(streams), wave):
            if start:
                await asyncio.sleep(spread_seconds / self._limits.drain_waves)
            for stream in streams[start : start + wave]:
                stream.end(EndReason.DRAINED, wire.encode_bye(self._retry_milliseconds()))

    def _retry_milliseconds(self) -> int:
        return random.randint(*self._limits.retry_milliseconds)  # noqa: S311  # spreads load, protects nothing
