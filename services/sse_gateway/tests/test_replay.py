"""The replay log, with a clock that the tests set."""

import pytest

from todo_kit.testing import ManualClock
from todo_sse_gateway.broadcast.replay import Arrival, Kept, ReplayLog
from todo_sse_gateway.limits import Limits


@pytest.fixture
def clock() -> ManualClock:
    """Returns a clock at zero."""
    return ManualClock()


def arrival(
    event_id: str, number: int | None = None, *, line: str = "tasks", is_old: bool = False
) -> Arrival:
    """Returns an event whose data is its id."""
    return Arrival(event_id, line, number, "changed", event_id.encode(), is_old)


class Log:
    """A replay log that knows the position of each event by its id."""

    def __init__(self, clock: ManualClock, *event_ids: str, **limits: int) -> None:
        """Keeps the events for `ann`."""
        self.log = ReplayLog(Limits(**limits), clock)
        self.positions: dict[str, str] = {}
        for event_id in event_ids:
            self.append("ann", arrival(event_id))

    def append(self, user_id: str, event: Arrival) -> Kept | None:
        """Keeps an event."""
        kept = self.log.append(user_id, event)
        self.positions[event.event_id] = self.log.position
        return kept

    def after(self, user_id: str, event_id: str) -> list[str] | None:
        """Returns the data of the events after the event with this id, or after this position."""
        chunks = self.log.after(user_id, self.positions.get(event_id, event_id))
        return None if chunks is None else [chunk.split(b"data: ")[1].decode().strip() for chunk in chunks]


def test_events_after_a_position_are_replayed_in_order(clock: ManualClock) -> None:
    """A client gets exactly the events after the last one that it saw."""
    assert Log(clock, "a", "b", "c").after("ann", "a") == ["b", "c"]


def test_newest_position_needs_no_replay(clock: ManualClock) -> None:
    """A client that missed nothing gets nothing, and no reset."""
    assert Log(clock, "a", "b").after("ann", "b") == []


@pytest.mark.parametrize("text", ["", "x", "a.b", "0123456789abcdef.", "0123456789abcdef." + "1" * 5000])
def test_text_that_is_no_position_is_unknown(clock: ManualClock, text: str) -> None:
    """Whatever a client sends as its position, the answer is a reset and no error."""
    assert Log(clock, "a").after("ann", text) is None


def test_position_of_this_process_with_5000_digits_is_unknown(clock: ManualClock) -> None:
    """A number that no process can count to is not read as one."""
    log = Log(clock, "a")
    assert log.after("ann", log.log.position + "0" * 5000) is None


def test_position_of_another_process_is_unknown(clock: ManualClock) -> None:
    """Replicas receive two topics in different orders, so their positions cannot be compared."""
    assert Log(clock, "a", "b").after("ann", Log(clock, "a", "b").log.position) is None


def test_position_is_no_way_to_events_of_another_user(clock: ManualClock) -> None:
    """A position counts the events of all users, and only the own ones are replayed."""
    log = Log(clock, "a", "b")
    assert log.after("bob", "a") == []


def test_same_id_without_a_number_is_kept_once(clock: ManualClock) -> None:
    """An event that is delivered again is recognised and not replayed twice."""
    log = Log(clock, "a", "b")
    assert log.log.append("ann", arrival("a")) is None
    assert log.after("ann", "a") == ["b"]


def test_number_that_is_not_higher_is_known_on_its_line_only(clock: ManualClock) -> None:
    """A repeat has the number of the first delivery; other topics and users count by themselves."""
    log = Log(clock)
    log.append("ann", arrival("a", 1))
    log.append("ann", arrival("b", 2))
    assert log.append("ann", arrival("again", 1)) is None
    assert log.append("ann", arrival("c", 1, line="notifications")) is not None
    assert log.append("bob", arrival("d", 1)) is not None


def test_skipped_number_gives_a_reset_and_makes_earlier_positions_unknown(clock: ManualClock) -> None:
    """Clients that are away when an event is missed are reset too, when they come back."""
    log = Log(clock)
    log.append("ann", arrival("a", 1))
    kept = log.append("ann", arrival("c", 3))
    assert kept is not None
    assert kept.is_gap
    assert b"event: sync.reset" in kept.chunk
    log.append("ann", arrival("d", 4))
    assert log.after("ann", "a") is None
    assert log.after("ann", "c") == ["d"]


def test_first_number_of_a_user_is_no_gap(clock: ManualClock) -> None:
    """A process that starts knows no earlier numbers; clients read everything when they connect to it."""
    kept = Log(clock).append("ann", arrival("a", 57))
    assert kept is not None
    assert not kept.is_gap


@pytest.mark.parametrize("number", [None, 57])
def test_old_event_that_follows_no_known_one_gives_a_reset(clock: ManualClock, number: int | None) -> None:
    """Whether clients have read it cannot be known, so they read everything again."""
    kept = Log(clock).append("ann", arrival("a", number, is_old=True))
    assert kept is not None
    assert kept.is_gap


def test_old_event_with_the_next_number_was_only_delayed(clock: ManualClock) -> None:
    """After an outage of the bus the events come late, and none is missing."""
    log = Log(clock)
    log.append("ann", arrival("a", 1))
    log.append("ann", arrival("b", 2, is_old=True))
    assert log.after("ann", "a") == ["b"]


def test_newest_dropped_event_is_still_a_known_position(clock: ManualClock) -> None:
    """A client that saw the event just before the oldest kept one has missed no dropped event."""
    log = Log(clock, "a", "b", "c", "d", replay_events=2)
    assert log.after("ann", "b") == ["c", "d"]
    assert log.after("ann", "a") is None


def test_dropped_by_age_is_unknown_but_the_last_one_stays(clock: ManualClock) -> None:
    """When all events are too old, a client that saw the last one resumes, and another one is reset."""
    log = Log(clock, "a", "b", replay_seconds=60)
    clock.now = 61
    assert log.after("ann", "b") == []
    assert log.after("ann", "a") is None


def test_position_before_the_first_event_replays_it(clock: ManualClock) -> None:
    """A client that saw no event yet resumes from where its stream began."""
    log = Log(clock)
    start = log.log.position
    log.append("ann", arrival("a"))
    assert log.after("ann", start) == ["a"]


def test_log_of_the_user_without_events_for_longest_is_dropped_first(clock: ManualClock) -> None:
    """The limit on users drops a whole log, after which its earlier positions are unknown."""
    log = Log(clock, "a", replay_users=2)
    log.append("bob", arrival("b"))
    log.append("ann", arrival("c"))
    log.append("cy", arrival("d"))
    assert log.after("bob", "a") is None
    assert log.after("bob", "d") == []
    assert log.after("ann", "a") == ["c"]


def test_user_whose_log_was_dropped_has_a_gap(clock: ManualClock) -> None:
    """A new log of the user does not hide that the events of the old log are lost."""
    log = Log(clock, replay_users=1)
    start = log.log.position
    log.append("bob", arrival("a"))
    log.append("ann", arrival("b"))
    log.append("bob", arrival("c"))
    assert log.after("bob", start) is None


def test_bytes_of_all_logs_are_limited(clock: ManualClock) -> None:
    """The limit on memory applies to the events of all users together."""
    log = Log(clock, replay_bytes=100)
    log.append("ann", arrival("a" * 20))
    start = log.log.position
    log.append("bob", arrival("b" * 20))
    log.append("ann", arrival("c" * 20))
    assert log.after("bob", start) is None
