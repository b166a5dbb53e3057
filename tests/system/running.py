"""A command of the engine that runs beside the test: what it tells as it comes, and signals to it."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Told = Mapping[str, Any]
POLL_SECONDS = 0.1


def wait_until(condition: Callable[[], object], *, timeout_seconds: float, what: str) -> None:
    """Return as soon as `condition()` is true; TimeoutError, naming `what`, when it stays false."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_seconds:g} s: {what}")
        time.sleep(POLL_SECONDS)


def tells(event: str, step: str | None = None, text: str = "") -> Callable[[Told], bool]:
    """Whether something told is this event, of this step, with this in its text."""
    return lambda told: (
        told["event"] == event and step in {None, told.get("step")} and text in told.get("text", "")
    )


class Run:
    """One run of a command with `--json`, in a process group of its own.

    Every object that it tells is kept with `at`, the time it came (seconds of `time.time`). The group is
    killed with SIGKILL as soon as it tells what `killed_at` holds of.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str],
        killed_at: Callable[[Told], bool] | None = None,
    ) -> None:
        """Start it."""
        self.told: list[Told] = []
        self._killed_at = killed_at
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            arguments,
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                try:
                    told = json.loads(line)
                except ValueError:
                    told = {"event": "unexpected", "text": line}
                if self._killed_at is not None and self._killed_at(told):
                    self.send(signal.SIGKILL, to_group=True)
                with self._news:
                    self.told.append(told | {"at": time.time()})
                    self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def until(self, wanted: Callable[[Told], bool], *, timeout_seconds: float = 90) -> Told:
        """Wait until it has told something that `wanted` holds of, and return that."""

        def found() -> Told | None:
            return next((told for told in self.told if wanted(told)), None)

        with self._news:
            self._news.wait_for(lambda: found() or not self._reader.is_alive(), timeout=timeout_seconds)
        told = found()
        if told is None:
            raise TimeoutError(f"never told within {timeout_seconds:g} s; it said:\n{self}")
        return told

    def send(self, number: signal.Signals, *, to_group: bool = False) -> None:
        """Send a signal to the program, or to it and all it has started; nothing when it has ended."""
        try:
            if to_group:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)
        except ProcessLookupError:
            return

    def kill_child(self, name: str) -> None:
        """Kill the one program of that name that it has started."""
        process = self._process.pid
        children = Path(f"/proc/{process}/task").glob("*/children")
        pids = [int(pid) for path in children for pid in path.read_text().split()]
        (found,) = [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text().strip() == name]
        os.kill(found, signal.SIGKILL)

    def has_ended_within(self, seconds: float) -> bool:
        """Wait for its end for that long."""
        try:
            self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def code(self, *, timeout_seconds: float = 240) -> int:
        """Wait for its end; the exit code, negative when a signal ended it."""
        code = self._process.wait(timeout=timeout_seconds)
        self._reader.join(timeout=5)
        return code

    def steps(self, event: str) -> list[str]:
        """The steps of which an event was told, in order."""
        return [told["step"] for told in self.told if told["event"] == event]

    @property
    def done(self) -> list[str]:
        """The steps it has done itself."""
        return [told["step"] for told in self.told if told["event"] == "step-ended" and not told["was_done"]]

    @property
    def notes(self) -> list[str]:
        """What its steps said on where they stand."""
        return [told["text"] for told in self.told if told["event"] == "step-spoke" and told["is_note"]]

    @property
    def failure(self) -> Told:
        """The error it ended with."""
        return self.until(tells("failed"), timeout_seconds=1)

    def __str__(self) -> str:
        """All it told, as a person debugging a test reads it."""
        return "\n".join(
            f"{told['at']:.1f} "
            + json.dumps({key: value for key, value in told.items() if key not in {"at", "steps"}})
            for told in self.told
        )
