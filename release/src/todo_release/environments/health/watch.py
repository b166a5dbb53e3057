"""Repeats readings of an environment until there is a verdict, and says what it sees."""

from collections.abc import Callable
from dataclasses import dataclass

from todo_release.config.health_watch import HealthWatchSettings
from todo_release.core.clock import Clock
from todo_release.core.formatting import duration
from todo_release.core.progress import ProgressCallback
from todo_release.environments.health.judge import HealthJudge, HealthVerdict
from todo_release.environments.health.reading import HealthReading

MINUTE_SECONDS = 60
TELL_SECONDS = 15  # a line so often, and whenever something else can be read


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthWatch:
    """One watch: `read` reads once, `make_traffic` sends requests if there shall be some."""

    settings: HealthWatchSettings
    minutes: float
    read: Callable[[], HealthReading]
    make_traffic: Callable[[], None] | None
    clock: Clock

    def run(self, say: ProgressCallback) -> HealthVerdict:
        """Reads until the version fails, has proved healthy, or the time is over."""
        judge, began = HealthJudge(self.settings), self.clock.now()
        told_at, traffic_at = -float(TELL_SECONDS), 0.0
        told_problems: tuple[str, ...] = ()
        shortest = min(self.settings.at_least_minutes, self.minutes) * MINUTE_SECONDS
        while True:
            seconds = self.clock.now() - began
            if self.make_traffic and self.settings.smoke_seconds and seconds >= traffic_at:
                traffic_at = seconds + self.settings.smoke_seconds
                self.make_traffic()
            reading = self.read()
            verdict = judge.add(reading)
            if reading.problems != told_problems or seconds - told_at >= TELL_SECONDS:
                told_at, told_problems = seconds, reading.problems
                say(_line(seconds, judge, reading), is_note=True)
            if verdict:
                return verdict
            is_over = seconds >= self.minutes * MINUTE_SECONDS
            if is_over or (judge.is_healthy and seconds >= shortest) or _has_nothing_to_do(reading):
                return judge.final(self.minutes)
            self.clock.sleep(self.settings.poll_seconds)


def _has_nothing_to_do(reading: HealthReading) -> bool:
    return reading.is_read and reading.new_pods == 0


def _line(seconds: float, judge: HealthJudge, reading: HealthReading) -> str:
    seen = judge.summary()
    return f"{duration(seconds)}: {seen}" + "".join(f"; not read: {problem}" for problem in reading.problems)
