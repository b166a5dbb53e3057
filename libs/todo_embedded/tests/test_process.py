"""The supervised process, on real children."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from todo_embedded.errors import ProcessStartError
from todo_embedded.process import ServerProcess, stop_all

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "from signal import *; signal(SIGTERM, SIG_IGN); import time; print('up', flush=True); time.sleep(60)",
]


def has_written(process: ServerProcess, line: str) -> None:
    """Wait for a line of the child."""
    process.wait_until_ready(lambda: line in process.last_lines, timeout_seconds=10)


def test_lines_of_both_streams_arrive_in_order() -> None:
    """Each line reaches the callback, whichever stream it was written to."""
    lines: list[str] = []
    command = ["sh", "-c", "echo one; echo two >&2; echo three"]
    with ServerProcess("echo", command, on_line=lines.append) as process:
        process.wait_for_success(timeout_seconds=10)
    assert lines == ["one", "two", "three"]


def test_stop_is_graceful_first(survivors: Callable[..., set[int]]) -> None:
    """A child that heeds SIGTERM ends by it, at once."""
    process = ServerProcess("sleeper", SLEEPER)
    has_written(process, "up")
    process.stop()
    assert process.returncode == -signal.SIGTERM
    assert survivors({process.pid}, timeout_seconds=0) == set()


def test_stop_kills_after_the_grace() -> None:
    """A child that ignores SIGTERM is killed when the grace is over, not before."""
    process = ServerProcess("stubborn", STUBBORN)
    has_written(process, "up")
    started_at = time.monotonic()
    process.stop(grace_seconds=0.2)
    assert 0.2 <= time.monotonic() - started_at < 2
    assert process.returncode == -signal.SIGKILL


def test_stop_takes_grandchildren_along(survivors: Callable[..., set[int]]) -> None:
    """What a child left running in its group goes with it, even when the child itself has ended."""
    process = ServerProcess("parent", ["sh", "-c", "sleep 60 & echo $!"])
    assert process.wait(10)
    process.stop()
    assert survivors({int(process.last_lines[0])}, timeout_seconds=5) == set()


def test_stop_may_be_repeated() -> None:
    """Stopping what has ended does nothing."""
    process = ServerProcess("true", ["true"])
    process.stop()
    process.stop()
    assert process.returncode is not None


def test_early_exit_shows_code_and_last_lines() -> None:
    """A server that ends instead of getting ready is reported with what it said."""
    with (
        ServerProcess("server", ["sh", "-c", "echo no such setting; exit 3"]) as process,
        pytest.raises(
            ProcessStartError, match=r"server ended with 3 before it was ready(.|\n)*no such setting"
        ),
    ):
        process.wait_until_ready(lambda: False, timeout_seconds=10)


def test_late_server_is_reported_with_its_bound() -> None:
    """A server that runs but does not get ready fails at the bound."""
    with (
        ServerProcess("server", SLEEPER) as process,
        pytest.raises(ProcessStartError, match=r"server was not ready within 0\.1 s"),
    ):
        process.wait_until_ready(lambda: False, timeout_seconds=0.1)


def test_missing_program_is_named() -> None:
    """A program that is not there fails as a start that failed, with its name."""
    with (
        ServerProcess("server", ["/nowhere/server"]) as process,
        pytest.raises(ProcessStartError, match="cannot start /nowhere/server: No such file"),
    ):
        process.wait_for_success(timeout_seconds=10)


def test_slow_step_is_reported_with_its_bound() -> None:
    """A step that does not end within its bound fails."""
    with (
        ServerProcess("step", SLEEPER) as process,
        pytest.raises(ProcessStartError, match=r"step took longer than 0\.1 s"),
    ):
        process.wait_for_success(timeout_seconds=0.1)


def test_stop_all_ends_every_child(survivors: Callable[..., set[int]]) -> None:
    """Giving up stops all children within one grace, not one grace after the other."""
    children = [ServerProcess("stubborn", STUBBORN) for _ in range(2)]
    for child in children:
        has_written(child, "up")
    started_at = time.monotonic()
    stop_all(grace_seconds=0.4)
    assert time.monotonic() - started_at < 0.8
    assert [child.returncode for child in children] == [-signal.SIGKILL, -signal.SIGKILL]
    assert survivors({child.pid for child in children}, timeout_seconds=0) == set()


def test_child_outlives_the_thread_that_started_it() -> None:
    """Linux counts the end of a thread as the end of the parent; a worker thread may end all the same."""
    started: list[ServerProcess] = []
    thread = threading.Thread(target=lambda: started.append(ServerProcess("sleeper", SLEEPER)))
    thread.start()
    thread.join()
    has_written(started[0], "up")
    assert not started[0].wait(0.3)
    started[0].stop()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has PR_SET_PDEATHSIG")
def test_child_dies_with_a_killed_owner(survivors: Callable[..., set[int]]) -> None:
    """Even a child that ignores SIGTERM ends when its owner is killed."""
    script = (
        "import sys, time\n"
        "from todo_embedded.process import ServerProcess\n"
        f"process = ServerProcess('stubborn', {STUBBORN!r})\n"
        "process.wait_until_ready(lambda: 'up' in process.last_lines, timeout_seconds=10)\n"
        "print(process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert survivors({pid}, timeout_seconds=0) == {pid}
        owner.kill()
    assert survivors({pid}, timeout_seconds=5) == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
def test_unprivileged_child_of_root_is_nobody_special(tmp_path: Path) -> None:
    """The child sees an ordinary user id, while the files it makes are the caller's."""
    command = ["sh", "-c", f"id -u; touch {tmp_path}/made"]
    with ServerProcess("id", command, unprivileged=True) as process:
        process.wait_for_success(timeout_seconds=10)
    assert list(process.last_lines) == ["1000"]
    assert (tmp_path / "made").stat().st_uid == 0
