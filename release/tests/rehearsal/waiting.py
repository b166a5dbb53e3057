"""Waiting with a bound."""

import time
from collections.abc import Callable


def until(look: Callable[[], object], *, seconds: float = 30) -> None:
    """Look until it is true; fails after the bound."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
