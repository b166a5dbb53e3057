"""`inv up` as a whole, in a repository with sample services: what is left when it ends, however it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from todo_embedded.ports import free_port

from .sample_application import write_repository

STOP_BOUND_SECONDS = 5
SCRIPT = """
import sys
from pathlib import Path
from todo_local import application, run
application.FRONTEND_PORT = int(sys.argv[3])
sys.exit(run.up(Path(sys.argv[1]), check=False, port=int(sys.argv[2])))
"""


class LocalRun:
    """A running `inv up`: its process, its output so far and the processes it started."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        """Keeps them."""
        self.process = process
        self.port = port
        self.output = ""

    def read_until(self, text: str) -> None:
        """Reads its output until a line contains `text`, or it ends."""
        assert self.process.stdout is not None
        while text not in self.output and (line := self.process.stdout.readline()):
            self.output += line

    def started(self) -> dict[int, str]:
        """Returns the command line of every descendant."""
        return {pid: command_line(pid) for pid in descendants(self.process.pid)}


def descendants(ancestor: int) -> set[int]:
    """Returns the descendants of a process, by the parents in /proc."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    result, generation = set[int](), {ancestor}
    while generation := {pid for pid, parent in parents.items() if parent in generation}:
        result |= generation
    return result


def command_line(pid: int) -> str:
    """Returns the arguments of a process; empty for a zombie and for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def leftover_processes(started: dict[int, str]) -> dict[int, str]:
    """Waits a moment for processes to end; returns those that still run the same command."""
    deadline = time.monotonic() + STOP_BOUND_SECONDS
    while (left := {pid: name for pid, name in started.items() if name and command_line(pid) == name}) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.02)
    return left


@contextmanager
def starting(root: Path, port: int) -> Iterator[LocalRun]:
    """Runs `inv up` in a process of its own, without a terminal."""
    command = [sys.executable, "-c", SCRIPT, str(root), str(port), str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield LocalRun(process, port)
        finally:
            process.kill()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[LocalRun]:
    """A local run that is ready."""
    with starting(write_repository(tmp_path), free_port()) as up:
        up.read_until("Ready at")
        assert "Ready at" in up.output, up.output
        yield up


pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are found in /proc")


def test_up_serves_and_ctrl_c_leaves_nothing(running: LocalRun, tmp_path: Path) -> None:
    """It serves one origin; Ctrl-C ends it with 0 in time although one service ignores SIGTERM."""
    started = running.started()
    servers = "(bin/postgres|redis-server|caddy run|node server.js|daprd .*--app-id=|server.py)"
    assert len([name for name in started.values() if re.search(servers, name)]) == 12
    assert f"Ready at http://localhost:{running.port}." in running.output
    assert f"serving  issuer=http://localhost:{running.port}" in running.output
    assert httpx2.get(f"http://localhost:{running.port}/api/todos").status_code == 200

    asked_at = time.monotonic()
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(20) == 0
    assert time.monotonic() - asked_at < STOP_BOUND_SECONDS
    assert leftover_processes(started) == {}
    assert (tmp_path / ".cache" / "local" / "postgres" / "PG_VERSION").exists()


def test_killed_up_leaves_nothing(running: LocalRun) -> None:
    """Even SIGKILL, which no program can handle, leaves no process behind."""
    started = running.started()
    assert len(started) > 12
    running.process.kill()
    assert leftover_processes(started) == {}


def test_service_that_dies_ends_everything(running: LocalRun) -> None:
    """One service gone is one error with its name and last lines, exit code 1, and nothing left."""
    started = running.started()
    (service,) = [
        pid for pid in started if Path(f"/proc/{pid}/cwd").readlink().match("services/notification")
    ]
    os.kill(service, signal.SIGKILL)
    running.read_until("never printed: reads to the end")
    assert running.process.wait(20) == 1
    assert "notification, a process of notification, ended with -9. Its last lines:" in running.output
    assert '"event": "serving"' in running.output
    assert leftover_processes(started) == {}


def test_taken_port_is_an_error_before_anything_starts(tmp_path: Path) -> None:
    """Nothing is started, and no database is created, while a port is missing."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with starting(write_repository(tmp_path), port) as up:
            up.read_until("never printed: reads to the end")
            assert up.process.wait(20) == 1
    assert f"port {port} (for the application) is in use by" in up.output
    assert not (tmp_path / ".cache" / "local" / "postgres").exists()


def test_service_that_cannot_start_is_the_error(tmp_path: Path) -> None:
    """A service that ends while starting is named with its last lines; what had started is stopped."""
    root = write_repository(tmp_path)
    (root / "services" / "backend" / "server.py").write_text("raise SystemExit('no settings')")
    with starting(root, free_port()) as up:
        up.read_until("never printed: reads to the end")
        assert up.process.wait(20) == 1
    assert "backend did not start: backend ended with 1 before it was ready" in up.output
    assert "no settings" in up.output
