"""The replay log: the latest events of each user, bounded in count, age, users and bytes.

A position in the log is named by the id of the last event a client has seen, or, for a client that has seen
none, by a cursor of this process (`<epoch>.<sequence>`). Every replica keeps its own log; event ids are the
same in all of them, cursors are not, so a cursor of another replica is an unknown position.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from todo_sse_gateway.limits import Limits


@dataclass(frozen=True, slots=True)
class _Entry:
    sequence: int
    stored_at: float
    chunk: bytes


@dataclass(slots=True)
class _UserLog:
    """Events of one user, oldest first, and what is known of the ones that were dropped before them."""

    dropped_sequence: int
    dropped_id: str | None = None
    entries: OrderedDict[str, _Entry] = field(default_factory=OrderedDict)


class ReplayLog:
    """Remembers encoded events for clients that come back.

    `clock` gives seconds that never run backwards (`time.monotonic`).
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        """Begin with an empty log and an epoch that no other process has."""
        self._limits = limits
        self._clock = clock
        self._epoch = secrets.token_hex(8)
        self._sequence = 0
        self._forgotten_sequence = 0
        self._bytes = 0
        self._logs: OrderedDict[str, _UserLog] = OrderedDict()  # the user written to last is at the end

    @property
    def position(self) -> str:
        """The cursor of now: resuming after it replays what is appended from here on."""
        return f"{self._epoch}.{self._sequence}"

    def append(self, user_id: str, event_id: str, chunk: bytes) -> bool:
        """Keep an event of the user. Returns False, and keeps nothing, when that id is known already."""
        log = self._logs.get(user_id)
        if log is None:
            log = self._logs[user_id] = _UserLog(dropped_sequence=self._forgotten_sequence)
        elif event_id in log.entries or event_id == log.dropped_id:
            return False
        self._sequence += 1
        log.entries[event_id] = _Entry(self._sequence, self._clock(), chunk)
        self._bytes += len(chunk)
        self._logs.move_to_end(user_id)
        self._trim(log)
        self._forget()
        return True

    def after(self, user_id: str, last_event_id: str) -> list[bytes] | None:
        """Return the user's events that follow the position, oldest first.

        None when that cannot be told: the position is unknown here, or an event that followed it is no
        longer kept.
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
        """Drop what is too old or too much of one user; the last id dropped stays a known position."""
        oldest_at = self._clock() - self._limits.replay_seconds
        while log.entries:
            event_id, entry = next(iter(log.entries.items()))
            if entry.stored_at >= oldest_at and len(log.entries) <= self._limits.replay_events:
                return
            del log.entries[event_id]
            self._bytes -= len(entry.chunk)
            log.dropped_sequence, log.dropped_id = entry.sequence, event_id

    def _forget(self) -> None:
        """Drop whole users, longest quiet first, until all of them together fit."""
        while len(self._logs) > self._limits.replay_users or self._bytes > self._limits.replay_bytes:
            _, log = self._logs.popitem(last=False)
            self._bytes -= sum(len(entry.chunk) for entry in log.entries.values())
            newest = next(reversed(log.entries.values())).sequence if log.entries else log.dropped_sequence
            self._forgotten_sequence = max(self._forgotten_sequence, newest)
