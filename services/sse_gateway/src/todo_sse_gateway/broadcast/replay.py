"""The replay log: the latest events of each user, limited in number, age, users and bytes.

A position is `<epoch>.<sequence>`: the epoch is this process, the sequence counts what it has received.
Replicas receive the events of two topics in different orders, so a position of another replica, as one of a
process before this one, says nothing here, and the client is reset.
"""

import re
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from todo_sse_gateway.broadcast import wire
from todo_sse_gateway.limits import Limits

POSITION = re.compile(r"([0-9a-f]{16})\.([0-9]{1,18})")
REMEMBERED_IDS = 64  # of events without a number; a repeat comes soon after the first delivery


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event from the bus, with what browsers get of it.

    `number` counts the events of one user from one publisher on one topic, which `line` names. It is None if
    the publisher does not number them. `is_old` says that clients must have read its effect from the API by
    now, unless it was delayed.
    """

    event_id: str
    line: str
    number: int | None
    name: str
    data: bytes
    is_old: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """An event that was not known before: the bytes for all streams of its user.

    `is_gap` says that an event before it is missing. The bytes are then a reset, because the event alone
    would leave clients without the missing one.
    """

    chunk: bytes
    is_gap: bool


@dataclass(frozen=True, slots=True)
class _ReplayEntry:
    sequence: int
    stored_at: float
    chunk: bytes


@dataclass(slots=True)
class _UserLog:
    """Events of one user, oldest first, and the sequence of the last event that was dropped before them."""

    dropped_sequence: int
    entries: deque[_ReplayEntry] = field(default_factory=deque)
    numbers: dict[str, int] = field(default_factory=dict)
    ids: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED_IDS))


class ReplayLog:
    """Keeps encoded events for clients that reconnect.

    `clock` returns seconds that never go back (`time.monotonic`).
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        """Creates an empty log with an epoch that no other process has."""
        self._limits = limits
        self._clock = clock
        self._epoch = secrets.token_hex(8)
        self._sequence = 0
        self._forgotten_sequence = 0
        self._bytes = 0
        self._logs: OrderedDict[str, _UserLog] = OrderedDict()  # the user with the latest event is at the end

    @property
    def position(self) -> str:
        """The current end: resuming after it replays the events that are appended later."""
        return f"{self._epoch}.{self._sequence}"

    def append(self, user_id: str, arrival: Arrival) -> Kept | None:
        """Keeps an event of the user; returns None, without keeping it, when it is known already.

        Raises:
            ValueError: The event cannot be encoded; it is not kept.
        """
        log = self._logs.get(user_id)
        if log is None:
            log = _UserLog(dropped_sequence=self._forgotten_sequence)
        last = log.numbers.get(arrival.line)
        if arrival.number is None:
            is_known, is_gap = arrival.event_id in log.ids, arrival.is_old
        elif last is None:
            is_known, is_gap = False, arrival.is_old
        else:
            is_known, is_gap = arrival.number <= last, arrival.number > last + 1
        if is_known:
            return None
        position = f"{self._epoch}.{self._sequence + 1}"
        event = wire.encode_event(arrival.name, arrival.data, position)
        chunk = wire.encode_reset(position) if is_gap else event
        self._sequence += 1
        self._logs[user_id] = log
        self._logs.move_to_end(user_id)
        if arrival.number is None:
            log.ids.append(arrival.event_id)
        else:
            log.numbers[arrival.line] = arrival.number
        if is_gap:
            self._drop(log, all_until=self._sequence)
        else:
            log.entries.append(_ReplayEntry(self._sequence, self._clock(), chunk))
            self._bytes += len(chunk)
        self._trim(log)
        self._forget()
        return Kept(chunk, is_gap)

    def after(self, user_id: str, position: str) -> list[bytes] | None:
        """Returns the user's events after the position, oldest first.

        Returns None when they are not known: the position is not of this process, or an event after it was
        dropped.
        """
        log = self._logs.get(user_id)
        if log is not None:
            self._trim(log)
        parts = POSITION.fullmatch(position)
        if parts is None or parts[1] != self._epoch:
            return None
        sequence = int(parts[2])
        if sequence < (log.dropped_sequence if log is not None else self._forgotten_sequence):
            return None
        return [entry.chunk for entry in log.entries if entry.sequence > sequence] if log is not None else []

    def _trim(self, log: _UserLog) -> None:
        """Drops a user's events beyond the limits."""
        oldest_at = self._clock() - self._limits.replay_seconds
        while log.entries and (
            log.entries[0].stored_at < oldest_at or len(log.entries) > self._limits.replay_events
        ):
            entry = log.entries.popleft()
            self._bytes -= len(entry.chunk)
            log.dropped_sequence = entry.sequence

    def _drop(self, log: _UserLog, *, all_until: int) -> None:
        self._bytes -= sum(len(entry.chunk) for entry in log.entries)
        log.entries.clear()
        log.dropped_sequence = all_until

    def _forget(self) -> None:
        """Drops the logs of whole users, those without events for longest first, until the rest fits."""
        while len(self._logs) > self._limits.replay_users or self._bytes > self._limits.replay_bytes:
            _, log = self._logs.popitem(last=False)
            newest = log.entries[-1].sequence if log.entries else log.dropped_sequence
            self._drop(log, all_until=newest)
            self._forgotten_sequence = max(self._forgotten_sequence, newest)
