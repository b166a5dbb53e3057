"""Steady time that tests can replace."""

import time
from typing import Protocol


class Clock(Protocol):
    """Steady seconds, and a way to let them pass."""

    def now(self) -> float:
        """Seconds since any fixed moment."""

    def sleep(self, seconds: float) -> None:
        """Come back after that long."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds of `time.monotonic`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """`time.sleep`."""
        time.sleep(seconds)
