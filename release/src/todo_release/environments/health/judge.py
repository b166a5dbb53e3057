"""Judges a version from readings. Pure: no clock, no network.

A version is failing when its new pods fail too many requests, answer too many too slowly, are restarted, or
when an alert begins. It is not to blame when the version before failed alike until it was replaced: then
something that both depend on fails, and going back would not help.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from todo_release.config.health_watch import HealthWatchSettings
from todo_release.environments.health.reading import HealthReading, RestartedContainer
from todo_release.environments.health.request_counts import RequestCounts
from todo_release.environments.health.sequential_test import Decision, SequentialTest

ALIKE_RATIO = 0.5  # the version before failed alike when it failed at least half as often as the new one
SHOWN_RESTARTS = 3


class Health(Enum):
    """What a watch can end with; the value is what records keep."""

    HEALTHY = "healthy"
    FAILING = "failing"
    TOO_LITTLE_TRAFFIC = "too-little-traffic"
    SOURCE_AWAY = "source-away"
    DEPENDENCY = "dependency"
    NOTHING_NEW = "nothing-new"


@dataclass(frozen=True, slots=True)
class HealthVerdict:
    """How a watch ended, and why, in words."""

    health: Health
    text: str

    @property
    def is_failing(self) -> bool:
        """Whether the version is to be taken back."""
        return self.health is Health.FAILING


class HealthJudge:
    """Adds up the readings of one watch."""

    def __init__(self, settings: HealthWatchSettings) -> None:
        """Starts without readings."""
        self._settings = settings
        self._requests = SequentialTest(settings.requests.ratios)
        self._requests_before = SequentialTest(settings.requests.ratios)
        latency = settings.latency
        self._latency = SequentialTest(latency.ratios) if latency else None
        self._latency_before = SequentialTest(latency.ratios) if latency else None
        self._new = RequestCounts()
        self._before = RequestCounts()
        self._unchanged = RequestCounts()
        self._last = HealthReading(new_pods=0, is_read=False)
        self._new_pods: int | None = None  # as the last reading that could be made says

    def add(self, reading: HealthReading) -> HealthVerdict | None:
        """Takes a reading; returns a verdict if it needs no further one."""
        self._last = reading
        self._new_pods = reading.new_pods if reading.is_read else self._new_pods
        self._new += reading.new
        self._before += reading.before
        self._unchanged += reading.unchanged
        self._requests.add(reading.new.answered, reading.new.failed)
        self._requests_before.add(reading.before.answered, reading.before.failed)
        if self._latency and self._latency_before:
            self._latency.add(reading.new.timed, reading.new.slow)
            self._latency_before.add(reading.before.timed, reading.before.slow)
        return self._blame()

    @property
    def is_healthy(self) -> bool:
        """Whether enough requests were answered well, and quickly enough where durations are watched."""
        latency = self._latency
        return self._requests.decision is Decision.ACCEPTED and (
            latency is None or not self._new.timed or latency.decision is Decision.ACCEPTED
        )

    def final(self, minutes: float) -> HealthVerdict:
        """Returns the verdict when the time is over."""
        if self._new_pods == 0:
            return HealthVerdict(Health.NOTHING_NEW, "no pods are new, so there was nothing to compare")
        if self._new_pods is None:
            reason = "; ".join(self._last.problems) or "no metrics were read"
            return HealthVerdict(Health.SOURCE_AWAY, f"the new pods could not be judged: {reason}")
        if self._requests.decision is Decision.ACCEPTED:
            return HealthVerdict(Health.HEALTHY, self.summary())
        needed = self._requests.weights.clean_answers
        return HealthVerdict(
            Health.TOO_LITTLE_TRAFFIC,
            f"too little traffic to judge it: {self.summary()} in {minutes:g} min; "
            f"{needed} answers without a failure would do",
        )

    def summary(self) -> str:
        """Returns what was seen so far, in one line."""
        return ", ".join(self._parts())

    def _parts(self) -> Iterator[str]:
        new, settings = self._new, self._settings
        yield f"{_counted(new.answered, 'answer')} of new pods, {new.failed:.0f} failed"
        if settings.latency:
            yield f"{new.slow:.0f} of {new.timed:.0f} slower than {settings.latency.seconds:g} s"
        yield _counted(_restarts(self._last.new_restarts), "restart")
        if settings.alerts is not None:
            yield _counted(len(self._last.alerts), "alert")
        for name, counts in (("unchanged pods", self._unchanged), ("the version before", self._before)):
            if counts.answered:
                yield f"{name} {counts.failed:.0f} of {counts.answered:.0f} failed"

    def _blame(self) -> HealthVerdict | None:
        """Returns what is wrong, if anything is, and whether the version is to blame."""
        new, old, last = self._new, self._before, self._last
        if self._requests.decision is Decision.REJECTED:
            what = f"new pods failed {new.failed:.0f} of {new.answered:.0f} requests"
            is_alike = _is_alike(
                self._requests_before, (new.failed, new.answered), (old.failed, old.answered)
            )
            return _verdict(what, f"{old.failed:.0f} of {old.answered:.0f}" if is_alike else "")
        if self._latency and self._latency_before and self._latency.decision is Decision.REJECTED:
            limit = f"{self._settings.latency.seconds:g} s" if self._settings.latency else ""
            what = f"{new.slow:.0f} of {new.timed:.0f} answers of new pods took longer than {limit}"
            is_alike = _is_alike(self._latency_before, (new.slow, new.timed), (old.slow, old.timed))
            return _verdict(what, f"{old.slow:.0f} of {old.timed:.0f}" if is_alike else "")
        if _restarts(last.new_restarts) >= self._settings.restarts:
            what = f"containers of new pods were restarted: {_named(last.new_restarts)}"
            is_alike = _restarts(last.unchanged_restarts) >= self._settings.restarts
            return _verdict(what, _named(last.unchanged_restarts) if is_alike else "")
        if last.alerts:
            names = ", ".join(sorted({alert.name for alert in last.alerts}))
            return _verdict(f"alerts fire that began after the deployment: {names}", "")
        return None


def _verdict(what: str, alike: str) -> HealthVerdict:
    if alike:
        return HealthVerdict(
            Health.DEPENDENCY,
            f"{what}, and so it was without this version ({alike}): something else is the cause",
        )
    return HealthVerdict(Health.FAILING, what)


def _is_alike(old_test: SequentialTest, new: tuple[float, float], old: tuple[float, float]) -> bool:
    (new_bad, new_all), (old_bad, old_all) = new, old
    return old_test.decision is Decision.REJECTED and old_bad / old_all >= ALIKE_RATIO * new_bad / new_all


def _restarts(containers: Sequence[RestartedContainer]) -> int:
    return sum(container.restarts for container in containers)


def _named(containers: Sequence[RestartedContainer]) -> str:
    more = len(containers) - SHOWN_RESTARTS
    named = ", ".join(str(container) for container in containers[:SHOWN_RESTARTS])
    return f"{named} and {more} more" if more > 0 else named


def _counted(count: float, noun: str) -> str:
    return f"{count:.0f} {noun}{'' if count == 1 else 's'}"
