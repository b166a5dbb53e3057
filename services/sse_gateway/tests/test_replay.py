"""The replay log, with a clock that the tests set."""

import pytest

from todo_kit.testing import ManualClock
from todo_sse_gateway.broadcast.replay import ReplayLog
from todo_sse_gateway.limits import Limits


@pytest.fixture
def clock() -> ManualClock:
    """Returns a clock at zero."""
    return ManualClock()


def log_of(clock: ManualClock, *event_ids: str, **limits: int) -> ReplayLog:
    """Returns a log in which `ann` received the events; each chunk is the event's id."""
    log = ReplayLog(Limits(**limits), clock)
    for event_id in event_ids:
        log.append("ann", event_id, event_id.encode())
    return log


def test_events_after_a_known_id_are_replayed_in_order(clock: ManualClock) -> None:
    """A client gets exactly the events after the last one that it saw."""
    assert log_of(clock, "a", "b", "c").after("ann", "a") == [b"b", b"c"]


def test_newest_id_needs_no_replay(clock: ManualClock) -> None:
    """A client that missed nothing gets nothing, and no reset."""
    assert log_of(clock, "a", "b").after("ann", "b") == []


def test_unknown_id_cannot_be_replayed(clock: ManualClock) -> None:
    """After an id that this process never saw, the missed events are unknown."""
    assert log_of(clock, "a").after("ann", "x") is None


def test_id_of_another_user_is_unknown(clock: ManualClock) -> None:
    """An id is unknown in another user's log, so nobody can request another user's events."""
    assert log_of(clock, "a").after("bob", "a") is None


def test_same_id_is_kept_once(clock: ManualClock) -> None:
    """An event that is delivered again is recognised and not replayed twice."""
    log = log_of(clock, "a", "b")
    assert not log.append("ann", "a", b"a")
    assert log.after("ann", "a") == [b"b"]


def test_newest_dropped_id_is_still_a_known_position(clock: ManualClock) -> None:
    """A client that saw the event just before the oldest kept one has missed no dropped event."""
    log = log_of(clock, "a", "b", "c", "d", replay_events=2)
    assert log.after("ann", "b") == [b"c", b"d"]
    assert not log.append("ann", "b", b"b")


def test_id_dropped_by_count_is_unknown(clock: ManualClock) -> None:
    """A client whose position is before the oldest kept event must be reset."""
    assert log_of(clock, "a", "b", "c", "d", replay_events=2).after("ann", "a") is None


def test_id_dropped_by_age_is_unknown_but_the_last_one_stays(clock: ManualClock) -> None:
    """When all events are too old, a client that saw the last one resumes, and another one is reset."""
    log = log_of(clock, "a", "b", replay_seconds=60)
    clock.now = 61
    assert log.after("ann", "b") == []
    assert log.after("ann", "a") is None


def test_cursor_replays_what_came_after_it(clock: ManualClock) -> None:
    """A client that saw no event yet resumes from its cursor."""
    log = log_of(clock, "a")
    cursor = log.position
    assert log.after("ann", cursor) == []
    log.append("ann", "b", b"b")
    assert log.after("ann", cursor) == [b"b"]


def test_cursor_before_a_dropped_event_is_refused(clock: ManualClock) -> None:
    """A cursor is unknown when an event after it was dropped."""
    log = log_of(clock, replay_events=1)
    cursor = log.position
    log.append("ann", "a", b"a")
    log.append("ann", "b", b"b")
    assert log.after("ann", cursor) is None


def test_cursor_of_another_process_is_unknown(clock: ManualClock) -> None:
    """After a restart the cursors of the old process are unknown."""
    assert log_of(clock).after("ann", log_of(clock).position) is None


def test_log_of_the_user_without_events_for_longest_is_dropped_first(clock: ManualClock) -> None:
    """The limit on users drops a whole log, after which its positions are unknown."""
    log = log_of(clock, "a", replay_users=2)
    before = log.position
    log.append("bob", "b", b"b")
    log.append("ann", "c", b"c")
    log.append("cy", "d", b"d")
    assert log.after("bob", "b") is None
    assert log.after("bob", before) is None
    assert log.after("bob", log.position) == []
    assert log.after("ann", "a") == [b"c"]


def test_user_whose_log_was_dropped_has_a_gap(clock: ManualClock) -> None:
    """A new log of the user does not hide that the events of the old log are lost."""
    log = log_of(clock, replay_users=1)
    before = log.position
    log.append("bob", "a", b"a")
    log.append("ann", "b", b"b")
    log.append("bob", "c", b"c")
    assert log.after("bob", before) is None


def test_bytes_of_all_logs_are_limited(clock: ManualClock) -> None:
    """The limit on memory applies to the events of all users together."""
    log = ReplayLog(Limits(replay_bytes=10), clock)
    log.append("ann", "a", b"123456")
    log.append("bob", "b", b"123456")
    assert log.after("ann", "a") is None
    assert log.after("bob", "b") == []
