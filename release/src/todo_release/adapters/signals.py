"""Ends the engine in order at the first signal, and at once at the second one."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from todo_release.errors import INTERRUPTED

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST = "Ending in order: programs are stopped and the lock is released. A second Ctrl-C ends at once.\n"
SECOND = "Ended at once. The next run finds out by itself what is done.\n"
SHOW_CURSOR = "\x1b[?25h"  # a live display hides it


@contextlib.contextmanager
def orderly_end() -> Iterator[None]:
    """Raises KeyboardInterrupt in the main thread at the first SIGINT, SIGTERM or SIGHUP of the block.

    The second one ends this process without any more work; its programs die with it
    (`adapters.child_reaper`). SIGINT counts also where a shell or nohup had it ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def receive(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            _tell(SECOND)
            os._exit(INTERRUPTED)
        _tell(FIRST)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, receive) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(text: str) -> None:
    # Not through a reporter: the signal may have come while it was writing.
    with contextlib.suppress(OSError):  # the terminal may be gone
        prefix = SHOW_CURSOR if os.isatty(sys.stderr.fileno()) else ""
        os.write(sys.stderr.fileno(), f"{prefix}{text}".encode())
