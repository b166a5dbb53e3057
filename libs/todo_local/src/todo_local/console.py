"""Tells a person, or a CI log, what a local run does: steps with their times, then the application's lines.

On a terminal the steps under way are shown live below what has been said; elsewhere long ones report now and
then.
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

from todo_local.logs import parse
from todo_release.errors import ReleaseError

COLOURS = ("cyan", "green", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta", "bright_blue")
REMINDER_SECONDS = 15
NAME_WIDTH = 20


class Console:
    """Used from many threads at once. `quiet_lines` keeps the application's own lines off the screen."""

    def __init__(self, console: RichConsole, *, quiet_lines: bool) -> None:
        """Write to `console`, which knows whether it is a terminal."""
        self._console = console
        self._quiet_lines = quiet_lines
        self._started_at = time.monotonic()
        self._under_way: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._spinner = Spinner("dots")
        self._reminder = threading.Thread(target=self._remind, daemon=True)
        self._live = Live(
            get_renderable=self._steps_under_way, console=console, refresh_per_second=8, transient=True
        )

    def __enter__(self) -> Self:
        """Show steps live, or remind of long ones, until the block ends."""
        if self._console.is_terminal:
            self._live.start()
        else:
            self._reminder.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the live display."""
        self._closing.set()
        if self._console.is_terminal:
            self._live.stop()
        else:
            self._reminder.join()

    def begin(self, name: str) -> None:
        """A step has begun."""
        with self._lock:
            self._under_way[name] = (time.monotonic(), "")

    def progress(self, name: str, message: str) -> None:
        """A step says what takes it long."""
        with self._lock:
            began_at, _ = self._under_way.get(name, (time.monotonic(), ""))
            self._under_way[name] = (began_at, message)
        self._step(name, Text(message, style="dim"))

    def end(self, name: str, *, is_done: bool) -> None:
        """A step has ended; a failure is only struck off here, its error is told by whoever ends the run."""
        with self._lock:
            began_at, _ = self._under_way.pop(name)
        if is_done:
            self._step(name, Text(f"ready after {time.monotonic() - began_at:.1f} s", style="green"))

    def line(self, name: str, line: str, *, only_warnings: bool) -> None:
        """A process has written a line."""
        parsed = parse(line)
        if not self._quiet_lines and (parsed.is_warning or not only_warnings):
            self._print(self._prefix(name).append_text(parsed.render()))

    def say(self, message: str) -> None:
        """Tell something that belongs to no step."""
        self._print(Text(message))

    def error(self, error: ReleaseError) -> None:
        """Tell what went wrong and what to do."""
        self._print(
            Text(error.problem, style="bold red").append(f" {error.remedy}", style="not bold default")
        )

    def table(self, table: Table) -> None:
        """Show a table."""
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

    def _steps_under_way(self) -> Table:
        grid = Table.grid(padding=(0, 1))
        with self._lock:
            for name, (began_at, message) in self._under_way.items():
                seconds = time.monotonic() - began_at
                grid.add_row(
                    self._spinner, self._prefix(name), f"{seconds:.0f} s", Text(message, style="dim")
                )
        return grid

    def _remind(self) -> None:
        while not self._closing.wait(REMINDER_SECONDS):
            with self._lock:
                under_way = dict(self._under_way)
            for name, (began_at, message) in under_way.items():
                seconds = time.monotonic() - began_at
                if seconds >= REMINDER_SECONDS:
                    self._step(name, Text(f"{message or 'starting'}: {seconds:.0f} s so far", style="dim"))
