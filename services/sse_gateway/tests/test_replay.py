"""The replay log, with a clock that the tests move."""

import pytest

from todo_sse_gateway.broadcast.replay import ReplayLog
from todo_sse_gateway.limits import Limits


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.seconds = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """A clock at zero."""
    return Clock()


def log_of(clock: Clock, *event_ids: str, **limits: int) -> ReplayLog:
    """Return a log in which `ann` received the events; each chunk is its id."""
    log = ReplayLog(Limits(**limits), clock)
    for event_id in event_ids:
        log.append("ann", event_id, event_id.encode())
    return log


def test_events_after_a_known_id_are_replayed_in_order(clock: Clock) -> None:
    """A client gets exactly what followed the last event it saw."""
    assert log_of(clock, "a", "b", "c").after("ann", "a") == [b"b", b"c"]


def test_newest_id_needs_no_replay(clock: Clock) -> None:
    """A client that missed nothing gets nothing, and no reset."""
    assert log_of(clock, "a", "b").after("ann", "b") == []


def test_unknown_id_cannot_be_replayed(clock: Clock) -> None:
    """An id this process never saw leaves the gap unknown."""
    assert log_of(clock, "a").after("ann", "x") is None


def test_id_of_another_user_is_unknown(clock: Clock) -> None:
    """An id says nothing in another user's log, so nobody can ask for a stranger's events."""
    assert log_of(clock, "a").after("bob", "a") is None


def test_same_id_is_kept_once(clock: Clock) -> None:
    """A redelivered event is recognised and not replayed twice."""
    log = log_of(clock, "a", "b")
    assert not log.append("ann", "a", b"a")
    assert log.after("ann", "a") == [b"b"]


def test_newest_dropped_id_is_still_a_known_position(clock: Clock) -> None:
    """A client that saw the event just before the oldest kept one has missed nothing that is gone."""
    log = log_of(clock, "a", "b", "c", "d", replay_events=2)
    assert log.after("ann", "b") == [b"c", b"d"]
    assert not log.append("ann", "b", b"b")


def test_id_dropped_by_count_is_unknown(clock: Clock) -> None:
    """A client that is further behind than the log reaches must be reset."""
    assert log_of(clock, "a", "b", "c", "d", replay_events=2).after("ann", "a") is None


def test_id_dropped_by_age_is_unknown_but_the_last_one_stays(clock: Clock) -> None:
    """A quiet user whose events all grew old resumes; one who missed an old event is reset."""
    log = log_of(clock, "a", "b", replay_seconds=60)
    clock.seconds = 61
    assert log.after("ann", "b") == []
    assert log.after("ann", "a") is None


def test_cursor_replays_what_came_after_it(clock: Clock) -> None:
    """A client that saw no event yet resumes from the cursor it was given."""
    log = log_of(clock, "a")
    cursor = log.position
    assert log.after("ann", cursor) == []
    log.append("ann", "b", b"b")
    assert log.after("ann", cursor) == [b"b"]


def test_cursor_before_a_dropped_event_is_refused(clock: Clock) -> None:
    """A cursor is no promise: an event after it that was dropped is a gap."""
    log = log_of(clock, replay_events=1)
    cursor = log.position
    log.append("ann", "a", b"a")
    log.append("ann", "b", b"b")
    assert log.after("ann", cursor) is None


def test_cursor_of_another_process_is_unknown(clock: Clock) -> None:
    """After a restart nothing is known of what the old process sent."""
    assert log_of(clock).after("ann", log_of(clock).position) is None


def test_user_quiet_for_longest_is_forgotten_first(clock: Clock) -> None:
    """The bound on users drops whole logs and never claims to be complete afterwards."""
    log = log_of(clock, "a", replay_users=2)
    before = log.position
    log.append("bob", "b", b"b")
    log.append("ann", "c", b"c")
    log.append("cy", "d", b"d")
    assert log.after("bob", "b") is None
    assert log.after("bob", before) is None
    assert log.after("bob", log.position) == []
    assert log.after("ann", "a") == [b"c"]


def test_user_who_returns_after_being_forgotten_has_a_gap_before(clock: Clock) -> None:
    """A new log of a forgotten user does not hide the events that went with the old one."""
    log = log_of(clock, replay_users=1)
    before = log.position
    log.append("bob", "a", b"a")
    log.append("ann", "b", b"b")
    log.append("bob", "c", b"c")
    assert log.after("bob", before) is None


def test_bytes_of_all_logs_are_bounded(clock: Clock) -> None:
    """Memory is bounded whoever the events belong to."""
    log = ReplayLog(Limits(replay_bytes=10), clock)
    log.append("ann", "a", b"123456")
    log.append("bob", "b", b"123456")
    assert log.after("ann", "a") is None
    assert log.after("bob", "b") == []
