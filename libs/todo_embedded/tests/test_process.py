"""Supervised children and short commands, on real processes."""

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
from todo_embedded.process import ServerProcess, run, stop_all

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "from signal import *; signal(SIGTERM, SIG_IGN); import time; print('up', flush=True); time.sleep(60)",
]


def wait_for_line(process: ServerProcess, line: str) -> None:
    """Waits until the child has written a line."""
    process.wait_until_ready(lambda: line in process.last_lines, timeout_seconds=10)


def test_lines_of_both_streams_arrive_in_order() -> None:
    """The callback gets the lines of stdout and stderr in the order in which they were written."""
    lines: list[str] = []
    command = ["sh", "-c", "echo one; echo two >&2; echo three"]
    with ServerProcess("echo", command, on_line=lines.append) as process:
        process.wait_for_success(timeout_seconds=10)
    assert lines == ["one", "two", "three"]


def test_stop_is_graceful_first(survivors: Callable[..., set[int]]) -> None:
    """A child that does not handle SIGTERM ends by it."""
    process = ServerProcess("sleeper", SLEEPER)
    wait_for_line(process, "up")
    process.stop()
    assert process.returncode == -signal.SIGTERM
    assert survivors({process.pid}, timeout_seconds=0) == set()


def test_stop_kills_after_the_grace() -> None:
    """A child that ignores SIGTERM is killed when the grace period is over, not before."""
    process = ServerProcess("stubborn", STUBBORN)
    wait_for_line(process, "up")
    started_at = time.monotonic()
    process.stop(grace_seconds=0.2)
    assert 0.2 <= time.monotonic() - started_at < 2
    assert process.returncode == -signal.SIGKILL


def test_stop_ends_grandchildren(survivors: Callable[..., set[int]]) -> None:
    """Processes of the child's group end too, even when the child itself has ended before."""
    process = ServerProcess("parent", ["sh", "-c", "sleep 60 & echo $!"])
    assert process.wait(10)
    process.stop()
    assert survivors({int(process.last_lines[0])}, timeout_seconds=5) == set()


def test_stop_may_be_repeated() -> None:
    """Stopping a child that has ended does nothing."""
    process = ServerProcess("true", ["true"])
    process.stop()
    process.stop()
    assert process.returncode is not None


def test_early_exit_shows_code_and_last_lines() -> None:
    """The error about a server that ends before it is ready has its exit code and last lines."""
    with (
        ServerProcess("server", ["sh", "-c", "echo no such setting; exit 3"]) as process,
        pytest.raises(
            ProcessStartError, match=r"server ended with 3 before it was ready(.|\n)*no such setting"
        ),
    ):
        process.wait_until_ready(lambda: False, timeout_seconds=10)


def test_slow_server_is_reported_with_the_time_limit() -> None:
    """The error about a server that does not get ready names the time limit."""
    with (
        ServerProcess("server", SLEEPER) as process,
        pytest.raises(ProcessStartError, match=r"server was not ready within 0\.1 s"),
    ):
        process.wait_until_ready(lambda: False, timeout_seconds=0.1)


def test_missing_program_is_named() -> None:
    """The error about a missing program has its path."""
    with (
        ServerProcess("server", ["/nowhere/server"]) as process,
        pytest.raises(ProcessStartError, match="cannot start /nowhere/server: No such file"),
    ):
        process.wait_for_success(timeout_seconds=10)


def test_slow_child_is_reported_with_the_time_limit() -> None:
    """The error about a child that does not end in time names the time limit."""
    with (
        ServerProcess("step", SLEEPER) as process,
        pytest.raises(ProcessStartError, match=r"step took longer than 0\.1 s"),
    ):
        process.wait_for_success(timeout_seconds=0.1)


def test_stop_all_ends_every_child(survivors: Callable[..., set[int]]) -> None:
    """All children are stopped at the same time, within one grace period."""
    children = [ServerProcess("stubborn", STUBBORN) for _ in range(2)]
    for child in children:
        wait_for_line(child, "up")
    started_at = time.monotonic()
    stop_all(grace_seconds=0.4)
    assert time.monotonic() - started_at < 0.8
    assert [child.returncode for child in children] == [-signal.SIGKILL, -signal.SIGKILL]
    assert survivors({child.pid for child in children}, timeout_seconds=0) == set()


def test_child_outlives_the_thread_that_started_it() -> None:
    """A child keeps running when the worker thread that started it ends."""
    started: list[ServerProcess] = []
    thread = threading.Thread(target=lambda: started.append(ServerProcess("sleeper", SLEEPER)))
    thread.start()
    thread.join()
    wait_for_line(started[0], "up")
    assert not started[0].wait(0.3)
    started[0].stop()


def test_run_returns_exit_code_and_output() -> None:
    """A short command gets its input, and its result has the exit code and both streams."""
    result = run(["sh", "-c", "cat; echo bad >&2; exit 3"], stdin="in", timeout_seconds=10)
    assert (result.returncode, result.stdout, result.stderr) == (3, "in", "bad\n")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["/nowhere/tool"], "cannot start /nowhere/tool: No such file"),
        (["sleep", "60"], r"sleep took longer than 0\.1 s"),
    ],
    ids=["missing", "slow"],
)
def test_run_reports_a_missing_program_and_the_time_limit(command: list[str], message: str) -> None:
    """A command that cannot be started or takes too long is a ProcessStartError."""
    with pytest.raises(ProcessStartError, match=message):
        run(command, timeout_seconds=0.1)


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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop root")
def test_unprivileged_child_of_root_is_an_ordinary_user(tmp_path: Path) -> None:
    """The child has an ordinary user id, but its files belong to the caller."""
    command = ["sh", "-c", f"id -u; touch {tmp_path}/made"]
    with ServerProcess("id", command, unprivileged=True) as process:
        process.wait_for_success(timeout_seconds=10)
    assert list(process.last_lines) == ["1000"]
    assert (tmp_path / "made").stat().st_uid == 0
