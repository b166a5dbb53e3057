"""Shows a person, or a CI log, what a local run does: steps with their times, then the application's lines.

On a terminal the running steps are shown live below the lines; elsewhere long steps report now and then.
"""

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console as RichConsole
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from todo_local.errors import LocalError
from todo_local.logs import parse

COLOURS = ("cyan", "green", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta", "bright_blue")
REMINDER_SECONDS = 15
NAME_WIDTH = 20


class Console:
    """The output of a local run, used from many threads at once."""

    def __init__(self, console: RichConsole, *, quiet_lines: bool) -> None:
        """Writes to `console`; with `quiet_lines` without the application's own lines."""
        self._console = console
        self._quiet_lines = quiet_lines
        self._started_at = time.monotonic()
        self._running: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._spinner = Spinner("dots")
        self._reminder = threading.Thread(target=self._remind, daemon=True)
        self._live = Live(
            get_renderable=self._running_steps, console=console, refresh_per_second=8, transient=True
        )

    def __enter__(self) -> Self:
        """Shows steps live, or reports long ones, until the block ends."""
        if self._console.is_terminal:
            self._live.start()
        else:
            self._reminder.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the live display."""
        self._closing.set()
        if self._console.is_terminal:
            self._live.stop()
        else:
            self._reminder.join()

    def begin(self, name: str) -> None:
        """Notes that a step has begun."""
        with self._lock:
            self._running[name] = (time.monotonic(), "")

    def progress(self, name: str, message: str) -> None:
        """Shows what makes a step take long."""
        with self._lock:
            began_at, _ = self._running.get(name, (time.monotonic(), ""))
            self._running[name] = (began_at, message)
        self._step(name, Text(message, style="dim"))

    def end(self, name: str, *, is_done: bool) -> None:
        """Notes that a step has ended; the error of a failed one is shown by `error`, once for the run."""
        with self._lock:
            began_at, _ = self._running.pop(name)
        if is_done:
            self._step(name, Text(f"ready after {time.monotonic() - began_at:.1f} s", style="green"))

    def line(self, name: str, line: str, *, only_warnings: bool) -> None:
        """Shows a line that a process has written."""
        parsed = parse(line)
        if not self._quiet_lines and (parsed.is_warning or not only_warnings):
            self._print(self._prefix(name).append_text(parsed.render()))

    def say(self, message: str) -> None:
        """Shows a message that belongs to no step."""
        self._print(Text(message))

    def error(self, error: LocalError) -> None:
        """Shows what went wrong and what to do."""
        self._print(
            Text(error.problem, style="bold red").append(f" {error.remedy}", style="not bold default")
        )

    def table(self, table: Table) -> None:
        """Shows a table."""
        self._console.print(table)

    def _step(self, name: str, text: Text) -> None:
        elapsed = time.monotonic() - self._started_at
        self._print(
            Text(f"{elapsed:6.1f} s  ", style="dim").append_text(self._prefix(name)).append_text(text)
        )

    def _prefix(self, name: str) -> Text:
        colour = COLOURS[sum(name.encode()) % len(COLOURS)]
        return Text(f"{name:<{NAME_WIDTH}} ", style=colour)

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True, highlight=False)

    def _running_steps(self) -> Table:
        grid = Table.grid(padding=(0, 1))
        with self._lock:
            for name, (began_at, message) in self._running.items():
                seconds = time.monotonic() - began_at
                grid.add_row(
                    self._spinner, self._prefix(name), f"{seconds:.0f} s", Text(message, style="dim")
                )
        return grid

    def _remind(self) -> None:
        while not self._closing.wait(REMINDER_SECONDS):
            with self._lock:
                running = dict(self._running)
            for name, (began_at, message) in running.items():
                seconds = time.monotonic() - began_at
                if seconds >= REMINDER_SECONDS:
                    self._step(name, Text(f"{message or 'starting'}: {seconds:.0f} s so far", style="dim"))
