"""Time that only goes forward, and that tests can replace."""

import sys
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that only go forward, and a way to wait."""

    def now(self) -> float:
        """Returns the seconds since an arbitrary moment."""

    def sleep(self, seconds: float) -> None:
        """Returns after that many seconds."""


class SystemClock:
    """The machine's own clock; setting the date does not change it, and it goes on while the machine sleeps.

    `time.monotonic` stands still while a laptop is suspended: whoever holds a lock would not notice that it
    has expired.
    """

    def now(self) -> float:
        """Returns the seconds since the machine was started."""
        if sys.platform == "linux":
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.clock_gettime(time.CLOCK_MONOTONIC)  # macOS counts the time asleep in this one

    def sleep(self, seconds: float) -> None:
        """Calls `time.sleep`."""
        time.sleep(seconds)
