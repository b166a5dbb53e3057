"""Bounded waits and clocks for tests."""

import asyncio
from collections.abc import Callable


class ManualClock:
    """A monotonic clock that stands still until a test sets `now`, in seconds."""

    def __init__(self, now: float = 0.0) -> None:
        """Starts at `now`."""
        self.now = now

    def __call__(self) -> float:
        """Returns the time."""
        return self.now


async def wait_until(condition: Callable[[], object], *, timeout_seconds: float = 10.0) -> None:
    """Returns as soon as `condition()` is true; raises `TimeoutError` when that takes too long."""
    async with asyncio.timeout(timeout_seconds):
        while not condition():  # noqa: ASYNC110  # there is no event to wait for: the condition can be anything
            await asyncio.sleep(0.01)
