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
from todo_local.supervisor import Part, Supervisor

SLEEP = [sys.executable, "-c", "import time; print('last words', flush=True); time.sleep(60)"]


class Stage:
    """Parts that note what happens to them, and the supervisor that runs them."""

    def __init__(self) -> None:
        """Begin without parts."""
        self.events: list[str] = []
        self.processes: dict[str, ServerProcess] = {}
        self.parts: list[Part] = []
        self.output = StringIO()

    def add(self, name: str, *needs: str, run: Callable[[], None] = lambda: None) -> None:
        """Add a part that calls `run`, then keeps a process."""

        @contextlib.contextmanager
        def part(_progress: Callable[[str], None]) -> Iterator[Sequence[ServerProcess]]:
            run()
            with ServerProcess(name, SLEEP) as process:
                process.wait_until_ready(lambda: len(process.last_lines) > 0, timeout_seconds=10)
                self.processes[name] = process
                self.events.append(f"start {name}")
                yield [process]
                self.events.append(f"stop {name}")

        self.parts.append(Part(name, part, frozenset(needs)))

    def supervisor(self) -> Supervisor:
        """A supervisor of all parts, which tells its progress to `output`."""
        console = Console(RichConsole(file=self.output), quiet_lines=False)
        return Supervisor(self.parts, console, Path("logs"))


@pytest.fixture
def stage() -> Iterator[Stage]:
    """An empty stage; at the end none of its processes may run."""
    stage = Stage()
    yield stage
    assert [name for name, process in stage.processes.items() if process.returncode is None] == []


def test_parts_start_by_need_and_stop_in_reverse(stage: Stage) -> None:
    """What is needed runs before and stops after what needs it, whatever the order of the list."""
    stage.add("app", "database")
    stage.add("database")
    supervisor = stage.supervisor()
    assert supervisor.start()
    supervisor.stop()
    assert stage.events == ["start database", "start app", "stop app", "stop database"]
    assert "database             ready after" in stage.output.getvalue()


def test_watch_ends_when_asked(stage: Stage) -> None:
    """A request to stop, as from a signal handler, ends the watch without an error."""
    stage.add("app")
    supervisor = stage.supervisor()
    assert supervisor.start()
    threading.Timer(0.2, supervisor.request_stop).start()
    supervisor.watch()
    supervisor.stop()


def test_process_that_dies_is_named_with_its_last_lines(stage: Stage) -> None:
    """The watch ends with one error: who ended, how, and what it said last."""
    stage.add("database")
    stage.add("app", "database")
    supervisor = stage.supervisor()
    assert supervisor.start()
    os.kill(stage.processes["database"].pid, signal.SIGKILL)
    with pytest.raises(DiedError, match=r"database, a process of database, ended with -9(.|\n)*last words"):
        supervisor.watch()
    supervisor.stop()


def test_process_that_dies_ends_the_start_of_others(stage: Stage) -> None:
    """While one part still starts, the end of another is noticed."""
    stage.add("database")
    stage.add("slow", "database", run=lambda: os.kill(stage.processes["database"].pid, signal.SIGKILL))
    stage.add("never", "slow")
    supervisor = stage.supervisor()
    with pytest.raises(DiedError, match="database"):
        supervisor.start()
    supervisor.stop()
    assert "start never" not in stage.events


def test_part_that_fails_stops_the_rest(stage: Stage) -> None:
    """One part that does not start is the error; what needs it does not begin, what ran is stopped."""

    def fail() -> None:
        raise EmbeddedError("no disk left")

    stage.add("bus")
    stage.add("database", "bus", run=fail)
    stage.add("app", "database")
    supervisor = stage.supervisor()
    with pytest.raises(StartError, match=r"database did not start: no disk left.*logs"):
        supervisor.start()
    supervisor.stop()
    assert stage.events == ["start bus", "stop bus"]


def test_stop_request_interrupts_a_long_step(stage: Stage) -> None:
    """A Ctrl-C during a build does not wait for the build: its process is ended."""
    building = threading.Event()

    def build() -> None:
        with ServerProcess("build", SLEEP) as process:
            building.set()
            process.wait_for_success(timeout_seconds=60)

    stage.add("frontend", run=build)
    supervisor = stage.supervisor()
    threading.Thread(target=lambda: building.wait(10) and supervisor.request_stop()).start()
    started_at = time.monotonic()
    assert not supervisor.start()
    supervisor.stop()
    assert time.monotonic() - started_at < 5
