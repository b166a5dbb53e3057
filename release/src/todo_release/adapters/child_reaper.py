"""Kills the programs of an engine that is gone, or that is stopped for longer than it may write.

`process` runs this file as a script under `python -I -S`, so it imports the standard library only. It reads
lines from its standard input, which only the engine holds open:

    keep PID pid|group SECONDS|-   kill this process (group) unless another `keep` comes within SECONDS
    drop PID                       it has ended

The kernel closes the pipe when the engine ends, even by SIGKILL; then everything that is kept is killed. This
needs no rights and works alike on Linux and macOS (PR_SET_PDEATHSIG exists on Linux only, and a child of a
thread that ends would die with the thread).
"""

import os
import select
import signal
import sys
import time

POLL_SECONDS = 0.5


def now() -> float:
    """Returns seconds that go on while the machine sleeps (`core.clock.SystemClock`)."""
    clock = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC
    return time.clock_gettime(clock)


def kill(pid: int, kind: str) -> None:
    """Kills a process or its group, at once: nothing of it may write any more."""
    try:
        if kind == "group":
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # it has ended; macOS says so by EPERM
        return


def main() -> None:
    """Follows the engine's lines until the engine ends."""
    kept: dict[int, tuple[str, float | None]] = {}
    rest = b""
    while True:
        has_limit = any(until is not None for _, until in kept.values())
        readable, _, _ = select.select([0], [], [], POLL_SECONDS if has_limit else None)
        if readable:
            chunk = os.read(0, 65536)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                verb, pid, *more = line.decode().split()
                if verb == "keep":
                    kept[int(pid)] = (more[0], None if more[1] == "-" else now() + float(more[1]))
                else:
                    kept.pop(int(pid), None)
        for number, (kind, until) in list(kept.items()):
            if until is not None and now() > until:
                kill(number, kind)
                del kept[number]
    for number, (kind, _) in kept.items():
        kill(number, kind)


if __name__ == "__main__":
    # The engine decides when this ends; signals to its terminal or job are not for this process.
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    main()
