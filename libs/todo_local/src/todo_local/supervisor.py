"""Starts the parts of an application in the order of their needs, watches them, stops them in reverse."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from todo_embedded.errors import EmbeddedError
from todo_embedded.process import ServerProcess, stop_all
from todo_local.console import Console
from todo_local.errors import DiedError, StartError
from todo_local.ordering import in_order, reversed_needs

WATCH_SECONDS = 0.1
GIVE_UP_GRACE_SECONDS = 3
SHOWN_LINES = 15


@dataclass(frozen=True)
class ApplicationPart:
    """A step or a running piece of the application.

    `run` is entered to start it and left to stop it; in between, the processes it yields must keep running.
    It is given a function that reports what takes long.
    """

    name: str
    run: Callable[[Callable[[str], None]], AbstractContextManager[Sequence[ServerProcess]]]
    needs: frozenset[str] = frozenset()


class Supervisor:
    """Runs parts until it is asked to stop."""

    def __init__(self, parts: Sequence[ApplicationPart], console: Console, logs_dir: Path) -> None:
        """Takes parts that name each other in `needs`; errors point to `logs_dir`."""
        self._logs_dir = logs_dir
        self._parts = {part.name: part for part in parts}
        self._console = console
        self._stop_requested = threading.Event()
        self._opened: dict[str, AbstractContextManager[Sequence[ServerProcess]]] = {}
        self._watched: list[tuple[str, ServerProcess]] = []

    def request_stop(self) -> None:
        """Makes `start` or `watch` return soon; may be called from a signal handler."""
        self._stop_requested.set()

    def start(self) -> bool:
        """Starts every part and returns whether all run; False means that a stop was requested meanwhile.

        Raises:
            LocalError: a part does not start, or one that has started ends.
        """
        return in_order(
            {name: part.needs for name, part in self._parts.items()},
            self._open,
            should_stop=self._should_stop,
            on_give_up=lambda: stop_all(grace_seconds=GIVE_UP_GRACE_SECONDS),
        )

    def watch(self, until: Callable[[], bool] = lambda: False) -> None:
        """Waits until a stop is requested or `until` holds.

        Raises:
            DiedError: a process ended by itself.
        """
        while not self._should_stop() and not until():
            time.sleep(WATCH_SECONDS)

    def stop(self) -> None:
        """Stops what was started: each part after all that need it, as many at once as that allows."""
        opened = self._opened
        needs = {name: self._parts[name].needs & opened.keys() for name in opened}
        try:
            in_order(reversed_needs(needs), self._close, should_stop=lambda: False, on_give_up=lambda: None)
        finally:
            stop_all(grace_seconds=0)  # what is left after an error in starting or stopping

    def _open(self, name: str) -> None:
        self._console.begin(name)
        is_done = False
        try:
            manager = self._parts[name].run(lambda message: self._console.progress(name, message))
            processes = manager.__enter__()
            self._opened[name] = manager
            self._watched += [(name, process) for process in processes]
            is_done = True
        except EmbeddedError as error:
            raise StartError(f"{name} did not start: {error}", remedy=self._logs_hint()) from error
        finally:
            self._console.end(name, is_done=is_done)

    def _close(self, name: str) -> None:
        self._opened[name].__exit__(None, None, None)

    def _should_stop(self) -> bool:
        if self._stop_requested.is_set():
            return True
        for name, process in self._watched:
            if process.returncode is not None:
                raise DiedError(
                    f"{process.name}, a process of {name}, ended with {process.returncode}. "
                    f"Its last lines:\n{_indented(list(process.last_lines)[-SHOWN_LINES:])}\n",
                    remedy=self._logs_hint(),
                )
        return False

    def _logs_hint(self) -> str:
        return f"All lines of all parts are in {self._logs_dir}."


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"  {line}" for line in lines) or "  (none)"
