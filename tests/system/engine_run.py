"""One command of the release engine that runs beside the test: its JSON events, and signals to it."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

JsonEvent = Mapping[str, Any]
Condition = Callable[[JsonEvent], bool]
POLL_SECONDS = 0.1


def wait_until(condition: Callable[[], object], *, timeout_seconds: float, what: str) -> None:
    """Returns as soon as `condition()` is true; raises TimeoutError, naming `what`, when it stays false."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_seconds:g} s: {what}")
        time.sleep(POLL_SECONDS)


def is_event(kind: str, step: str | None = None, text: str = "") -> Condition:
    """Returns a condition: the event has this kind, belongs to this step and contains this text."""
    return lambda event: (
        event["event"] == kind and step in {None, event.get("step")} and text in event.get("text", "")
    )


class EngineRun:
    """One run of a command with `--json`, in a process group of its own.

    `events` keeps every JSON event with `at`, the time of its arrival in seconds of `time.time`. The process
    group is killed with SIGKILL at the first event for which `kill_when` is true.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str],
        kill_when: Condition | None = None,
    ) -> None:
        """Starts the command."""
        self.events: list[JsonEvent] = []
        self._kill_when = kill_when
        self._changed = threading.Condition()
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
                    event = json.loads(line)
                except ValueError:
                    event = {"event": "unexpected", "text": line}
                if self._kill_when is not None and self._kill_when(event):
                    self.send(signal.SIGKILL, to_group=True)
                with self._changed:
                    self.events.append(event | {"at": time.time()})
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, condition: Condition, *, timeout_seconds: float = 90) -> JsonEvent:
        """Waits for an event for which the condition is true, and returns the first such event."""

        def first() -> JsonEvent | None:
            return next((event for event in self.events if condition(event)), None)

        with self._changed:
            self._changed.wait_for(lambda: first() or not self._reader.is_alive(), timeout=timeout_seconds)
        event = first()
        if event is None:
            raise TimeoutError(f"no such event within {timeout_seconds:g} s; all events:\n{self}")
        return event

    def send(self, number: signal.Signals, *, to_group: bool = False) -> None:
        """Sends a signal to the process or to its whole group; does nothing when it has ended."""
        try:
            if to_group:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)
        except ProcessLookupError:
            return

    def kill_child(self, name: str) -> None:
        """Kills the one child process with that name."""
        process = self._process.pid
        children = Path(f"/proc/{process}/task").glob("*/children")
        pids = [int(pid) for path in children for pid in path.read_text().split()]
        (child,) = [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text().strip() == name]
        os.kill(child, signal.SIGKILL)

    def has_ended_within(self, seconds: float) -> bool:
        """Waits up to that long and returns whether the process has ended."""
        try:
            self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def exit_code(self, *, timeout_seconds: float = 240) -> int:
        """Waits for the end and returns the exit code, which is negative when a signal ended the process."""
        code = self._process.wait(timeout=timeout_seconds)
        self._reader.join(timeout=5)
        return code

    def steps(self, kind: str) -> list[str]:
        """Returns the steps of all events of a kind, in order."""
        return [event["step"] for event in self.events if event["event"] == kind]

    @property
    def executed_steps(self) -> list[str]:
        """The steps that this run executed, without those it found done."""
        return [
            event["step"] for event in self.events if event["event"] == "step-ended" and not event["was_done"]
        ]

    @property
    def notes(self) -> list[str]:
        """The progress notes of all steps."""
        return [
            event["text"] for event in self.events if event["event"] == "step-progressed" and event["is_note"]
        ]

    @property
    def failure(self) -> JsonEvent:
        """The error that ended the run."""
        return self.wait_for(is_event("failed"), timeout_seconds=1)

    def __str__(self) -> str:
        """Returns all events, one a line, for the failure message of a test."""
        return "\n".join(
            f"{event['at']:.1f} "
            + json.dumps({key: value for key, value in event.items() if key not in {"at", "steps"}})
            for event in self.events
        )
