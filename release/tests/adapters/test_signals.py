"""Programs die with the engine, however it ends; the first signal ends it in order, the second at once."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from todo_release.adapters import signals

from ..rehearsal.waiting import wait_until

# A program that starts another one and ignores what asks it to end.
STUBBORN = """\
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", code])
print(child.pid, flush=True)
time.sleep(60)
"""
ENGINE = f"""\
import os, sys
from todo_release.adapters import process, signals
from todo_release.core.clock import SystemClock
from todo_release.core.fence import Fence
from todo_release.errors import LockedError

how, stop_seconds = sys.argv[1], float(sys.argv[2])
process.STOP_SECONDS = stop_seconds
fence = Fence()
if how == "limited":
    fence.extend(SystemClock().now() + 1.5, LockedError("The lock was lost.", remedy="Wait."))
if how == "run":
    process.run(["sh", "-c", "echo $$ > " + sys.argv[3] + "; exec sleep 60"])
try:
    with signals.orderly_end():
        process.stream(
            [sys.executable, "-c", {STUBBORN!r}], lambda line: print(line, flush=True), with_children=True,
            fence=fence,
        )
except KeyboardInterrupt:
    sys.exit(130)
"""


@contextmanager
def engine(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Runs an engine that runs a stubborn program; kills it in the end."""
    command = [sys.executable, "-c", ENGINE, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def first_pid(process: subprocess.Popen[str]) -> int:
    """Returns the process id that the engine's program printed, which is that of its own child."""
    assert process.stdout is not None
    return int(process.stdout.readline())


def is_alive(pid: int) -> bool:
    """Returns whether a process runs; one that is dead but not reaped does not."""
    answer = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return bool(answer.stdout.strip()) and not answer.stdout.strip().startswith("Z")


def test_programs_die_with_an_engine_that_is_killed() -> None:
    """SIGKILL to the engine alone ends what it started, and what that started."""
    with engine("plain", "2") as process:
        pid = first_pid(process)
        assert is_alive(pid)
        process.send_signal(signal.SIGKILL)
        wait_until(lambda: not is_alive(pid), seconds=5)


def test_short_commands_die_with_an_engine_that_is_killed(tmp_path: Path) -> None:
    """A command whose output is awaited, such as a slow git, ends too."""
    file = tmp_path / "pid"
    with engine("run", "2", str(file)) as process:
        wait_until(lambda: file.exists() and file.read_text().strip(), seconds=10)
        pid = int(file.read_text())
        process.send_signal(signal.SIGKILL)
        wait_until(lambda: not is_alive(pid), seconds=5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_ends_programs_in_order(number: signal.Signals) -> None:
    """The program is asked to end, killed a moment later, and the engine says what happens."""
    with engine("plain", "0.2") as process:
        pid = first_pid(process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 130
        assert errors == signals.FIRST
        wait_until(lambda: not is_alive(pid), seconds=5)


def test_second_signal_ends_at_once() -> None:
    """Whoever is in a hurry does not wait for programs; they die all the same."""
    with engine("plain", "60") as process:
        pid = first_pid(process)
        assert process.stderr is not None
        process.send_signal(signal.SIGINT)
        assert "A second Ctrl-C" in process.stderr.readline()
        asked_at = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
        assert time.monotonic() - asked_at < 5
        wait_until(lambda: not is_alive(pid), seconds=5)


def test_program_of_a_stopped_engine_dies_when_its_permission_ends() -> None:
    """An engine that is stopped cannot end Helm when others may take the lock over: the reaper does."""
    with engine("limited", "2") as process:
        pid = first_pid(process)
        process.send_signal(signal.SIGSTOP)
        assert is_alive(pid)
        wait_until(lambda: not is_alive(pid), seconds=10)
        process.send_signal(signal.SIGCONT)
        _, errors = process.communicate(timeout=10)
        assert "LockedError: The lock was lost." in errors
