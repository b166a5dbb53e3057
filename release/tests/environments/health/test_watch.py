"""A watch reads until it knows, tells what it sees, and ends when its time is over."""

from collections.abc import Callable, Sequence
from itertools import chain, repeat

import pytest

from todo_release.config.health_watch import HealthWatchSettings
from todo_release.environments.health.judge import Health, HealthVerdict
from todo_release.environments.health.reading import HealthReading
from todo_release.environments.health.request_counts import RequestCounts
from todo_release.environments.health.watch import HealthWatch

from ...doubles.scripted import FakeClock

SETTINGS = HealthWatchSettings(minutes=5, at_least_minutes=1, poll_seconds=5)
QUIET = HealthReading(new_pods=1)
AWAY = HealthReading(new_pods=1, is_read=False, problems=("it is away",))


def answered(count: int, failed: int = 0) -> HealthReading:
    """Returns a reading of new pods."""
    return HealthReading(new_pods=1, new=RequestCounts(answered=count, failed=failed))


def run(
    readings: Sequence[HealthReading],
    *,
    settings: HealthWatchSettings = SETTINGS,
    make_traffic: Callable[[], None] | None = None,
) -> tuple[HealthVerdict, float, list[str]]:
    """Runs a watch of five minutes whose last reading is repeated; returns verdict, seconds and lines."""
    clock, lines, source = FakeClock(), list[str](), chain(readings, repeat(readings[-1]))
    watch = HealthWatch(
        settings=settings, minutes=5, read=lambda: next(source), make_traffic=make_traffic, clock=clock
    )
    verdict = watch.run(lambda text, is_note=False: lines.append(text))
    return verdict, clock.now(), lines


@pytest.mark.parametrize(
    ("readings", "health", "seconds"),
    [
        ([answered(100)], Health.HEALTHY, 60),
        ([answered(2)], Health.HEALTHY, 160),
        ([QUIET], Health.TOO_LITTLE_TRAFFIC, 300),
        ([QUIET, QUIET, answered(3, failed=3)], Health.FAILING, 10),
        ([answered(100), QUIET, answered(3, failed=2)], Health.FAILING, 10),
        ([AWAY], Health.SOURCE_AWAY, 300),
        ([AWAY, answered(100)], Health.HEALTHY, 60),
        ([HealthReading(new_pods=0)], Health.NOTHING_NEW, 0),
    ],
    ids=["much traffic", "little", "none", "fails", "fails later", "away", "away at first", "nothing new"],
)
def test_watch_ends_as_soon_as_it_knows(
    readings: Sequence[HealthReading], health: Health, seconds: float
) -> None:
    """A failure ends it at once, health after the shortest time, everything else after the longest."""
    verdict, took, _ = run(readings)
    assert verdict.health is health
    assert took == seconds


def test_watch_tells_every_fifteen_seconds_and_what_changes() -> None:
    """The lines begin with the time, and a problem is told as soon as it is there."""
    _, _, lines = run([answered(100), answered(10), AWAY, answered(10)])
    assert lines[0] == "0.0 s: 100 answers of new pods, 0 failed, 0 restarts"
    assert lines[1] == "10 s: 110 answers of new pods, 0 failed, 0 restarts; not read: it is away"
    assert [line.partition(":")[0] for line in lines] == ["0.0 s", "10 s", "15 s", "30 s", "45 s", "60 s"]


def test_traffic_is_made_as_often_as_release_yaml_says() -> None:
    """Every twenty seconds from the start on."""
    made: list[None] = []
    settings = SETTINGS.model_copy(update={"smoke_seconds": 20})
    run([answered(100)], settings=settings, make_traffic=lambda: made.append(None))
    assert len(made) == 4  # at 0, 20, 40 and 60 s
