"""Monotonic time that tests can replace."""

import time
from typing import Protocol


class Clock(Protocol):
    """Monotonic seconds, and a way to wait."""

    def now(self) -> float:
        """Returns the seconds since an arbitrary moment."""

    def sleep(self, seconds: float) -> None:
        """Returns after that many seconds."""


class SystemClock:
    """The machine's own monotonic clock."""

    def now(self) -> float:
        """Returns `time.monotonic`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Calls `time.sleep`."""
        time.sleep(seconds)
