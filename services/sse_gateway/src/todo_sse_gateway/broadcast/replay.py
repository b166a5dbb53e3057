"""The replay log: the latest events of each user, limited in number, age, users and bytes.

A position in the log is the id of the last event that a client has seen or, for a client that has seen none,
a cursor of this process (`<epoch>.<sequence>`). Every replica has its own log. Event ids are the same in all
of them and cursors are not, so the cursor of another replica is an unknown position.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from todo_sse_gateway.limits import Limits


@dataclass(frozen=True, slots=True)
class _ReplayEntry:
    sequence: int
    stored_at: float
    chunk: bytes


@dataclass(slots=True)
class _UserLog:
    """Events of one user, oldest first, and the position of the last event that was dropped before them."""

    dropped_sequence: int
    dropped_id: str | None = None
    entries: OrderedDict[str, _ReplayEntry] = field(default_factory=OrderedDict)


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
        """The cursor of the current end: resuming after it replays the events that are appended later."""
        return f"{self._epoch}.{self._sequence}"

    def append(self, user_id: str, event_id: str, chunk: bytes) -> bool:
        """Keeps an event of the user; returns False, without keeping it, when its id is known already."""
        log = self._logs.get(user_id)
        if log is None:
            log = self._logs[user_id] = _UserLog(dropped_sequence=self._forgotten_sequence)
        elif event_id in log.entries or event_id == log.dropped_id:
            return False
        self._sequence += 1
        log.entries[event_id] = _ReplayEntry(self._sequence, self._clock(), chunk)
        self._bytes += len(chunk)
        self._logs.move_to_end(user_id)
        self._trim(log)
        self._forget()
        return True

    def after(self, user_id: str, last_event_id: str) -> list[bytes] | None:
        """Returns the user's events after the position, oldest first.

        Returns None when they are not known: the position is unknown here, or an event after it was dropped.
        """
        log = self._logs.get(user_id)
        if log is not None:
            self._trim(log)
        sequence = self._sequence_of(log, last_event_id)
        complete_from = log.dropped_sequence if log is not None else self._forgotten_sequence
        if sequence is None or sequence < complete_from:
            return None
        if log is None:
            return []
        return [entry.chunk for entry in log.entries.values() if entry.sequence > sequence]

    def _sequence_of(self, log: _UserLog | None, last_event_id: str) -> int | None:
        epoch, _, sequence = last_event_id.partition(".")
        if epoch == self._epoch and sequence.isdecimal():
            return int(sequence)
        if log is None:
            return None
        if last_event_id == log.dropped_id:
            return log.dropped_sequence
        entry = log.entries.get(last_event_id)
        return entry.sequence if entry is not None else None

    def _trim(self, log: _UserLog) -> None:
        """Drops a user's events beyond the limits; the last dropped event stays a known position."""
        oldest_at = self._clock() - self._limits.replay_seconds
        while log.entries:
            event_id, entry = next(iter(log.entries.items()))
            if entry.stored_at >= oldest_at and len(log.entries) <= self._limits.replay_events:
                return
            del log.entries[event_id]
            self._bytes -= len(entry.chunk)
            log.dropped_sequence, log.dropped_id = entry.sequence, event_id

    def _forget(self) -> None:
        """Drops the logs of whole users, those without events for longest first, until the rest fits."""
        while len(self._logs) > self._limits.replay_users or self._bytes > self._limits.replay_bytes:
            _, log = self._logs.popitem(last=False)
            self._bytes -= sum(len(entry.chunk) for entry in log.entries.values())
            newest = next(reversed(log.entries.values())).sequence if log.entries else log.dropped_sequence
            self._forgotten_sequence = max(self._forgotten_sequence, newest)
