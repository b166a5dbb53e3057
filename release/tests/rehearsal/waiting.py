"""Waiting with a time limit."""

import time
from collections.abc import Callable


def wait_until(is_true: Callable[[], object], *, seconds: float = 30) -> None:
    """Calls a function until its result is true; fails after the time limit."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
