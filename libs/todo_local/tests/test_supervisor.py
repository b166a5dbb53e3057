"""Starting, watching and stopping parts, with real processes."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console as RichConsole

from todo_embedded.errors import EmbeddedError
from todo_embedded.process import ServerProcess
from todo_local.console import Console
from todo_local.errors import DiedError, StartError
from todo_local.supervisor import ApplicationPart, Supervisor

SLEEP = [sys.executable, "-c", "import time; print('last words', flush=True); time.sleep(60)"]


class RecordedParts:
    """Parts that record when they start and stop, and the supervisor that runs them."""

    def __init__(self) -> None:
        """Begins without parts."""
        self.events: list[str] = []
        self.processes: dict[str, ServerProcess] = {}
        self.parts: list[ApplicationPart] = []
        self.output = StringIO()

    def add(self, name: str, *needs: str, run: Callable[[], None] = lambda: None) -> None:
        """Adds a part that calls `run`, then keeps a process."""

        @contextlib.contextmanager
        def part(_progress: Callable[[str], None]) -> Iterator[Sequence[ServerProcess]]:
            run()
            with ServerProcess(name, SLEEP) as process:
                process.wait_until_ready(lambda: len(process.last_lines) > 0, timeout_seconds=10)
                self.processes[name] = process
                self.events.append(f"start {name}")
                yield [process]
                self.events.append(f"stop {name}")

        self.parts.append(ApplicationPart(name, part, frozenset(needs)))

    def supervisor(self) -> Supervisor:
        """Returns a supervisor of all parts, which shows its progress in `output`."""
        console = Console(RichConsole(file=self.output), quiet_lines=False)
        return Supervisor(self.parts, console, Path("logs"))


@pytest.fixture
def parts() -> Iterator[RecordedParts]:
    """No parts yet; at the end none of their processes may run."""
    parts = RecordedParts()
    yield parts
    assert [name for name, process in parts.processes.items() if process.returncode is None] == []


def test_parts_start_by_need_and_stop_in_reverse(parts: RecordedParts) -> None:
    """A part runs before and stops after those that need it, whatever the order of the list."""
    parts.add("app", "database")
    parts.add("database")
    supervisor = parts.supervisor()
    assert supervisor.start()
    supervisor.stop()
    assert parts.events == ["start database", "start app", "stop app", "stop database"]
    assert "database             ready after" in parts.output.getvalue()


def test_watch_ends_when_asked(parts: RecordedParts) -> None:
    """A requested stop, as from a signal handler, ends the watch without an error."""
    parts.add("app")
    supervisor = parts.supervisor()
    assert supervisor.start()
    threading.Timer(0.2, supervisor.request_stop).start()
    supervisor.watch()
    supervisor.stop()


def test_process_that_dies_is_named_with_its_last_lines(parts: RecordedParts) -> None:
    """The watch ends with one error: which process ended, how, and its last lines."""
    parts.add("database")
    parts.add("app", "database")
    supervisor = parts.supervisor()
    assert supervisor.start()
    os.kill(parts.processes["database"].pid, signal.SIGKILL)
    with pytest.raises(DiedError, match=r"database, a process of database, ended with -9(.|\n)*last words"):
        supervisor.watch()
    supervisor.stop()


def test_process_that_dies_ends_the_start_of_others(parts: RecordedParts) -> None:
    """While one part still starts, the end of another part is noticed."""
    parts.add("database")
    parts.add("slow", "database", run=lambda: os.kill(parts.processes["database"].pid, signal.SIGKILL))
    parts.add("never", "slow")
    supervisor = parts.supervisor()
    with pytest.raises(DiedError, match="database"):
        supervisor.start()
    supervisor.stop()
    assert "start never" not in parts.events


def test_part_that_fails_stops_the_rest(parts: RecordedParts) -> None:
    """A part that does not start is the error; those that need it do not start, the others are stopped."""

    def fail() -> None:
        raise EmbeddedError("no disk left")

    parts.add("bus")
    parts.add("database", "bus", run=fail)
    parts.add("app", "database")
    supervisor = parts.supervisor()
    with pytest.raises(StartError, match=r"database did not start: no disk left.*logs"):
        supervisor.start()
    supervisor.stop()
    assert parts.events == ["start bus", "stop bus"]


def test_stop_request_interrupts_a_long_step(parts: RecordedParts) -> None:
    """Ctrl-C during a build does not wait for the build: its process is ended."""
    building = threading.Event()

    def build() -> None:
        with ServerProcess("build", SLEEP) as process:
            building.set()
            process.wait_for_success(timeout_seconds=60)

    parts.add("frontend", run=build)
    supervisor = parts.supervisor()
    threading.Thread(target=lambda: building.wait(10) and supervisor.request_stop()).start()
    started_at = time.monotonic()
    assert not supervisor.start()
    supervisor.stop()
    assert time.monotonic() - started_at < 5
