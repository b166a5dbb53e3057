"""Fixtures of this package's tests."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest


def is_alive(pid: int) -> bool:
    """Returns whether a process exists and is not a zombie that its parent has yet to collect."""
    try:
        return not Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].startswith(" Z")
    except (FileNotFoundError, ProcessLookupError):  # the latter when it ends between open and read
        return False


@pytest.fixture
def survivors() -> Callable[..., set[int]]:
    """Returns a function that waits for processes to end and returns those that did not in time."""

    def wait(pids: set[int], *, timeout_seconds: float) -> set[int]:
        deadline = time.monotonic() + timeout_seconds
        while (alive := {pid for pid in pids if is_alive(pid)}) and time.monotonic() < deadline:
            time.sleep(0.01)
        return alive

    return wait
