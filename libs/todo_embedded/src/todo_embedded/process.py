"""Starts every program of this package: supervised children, and short commands that run to their end.

A supervised child leads a session of its own, so a Ctrl-C in the terminal reaches only the owner, which then
stops its children in the order it needs. On Linux a child dies with its owner, however that ends
(`launcher`).
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from todo_embedded import launcher
from todo_embedded.errors import ProcessStartError, UnsupportedHostError

KEPT_LINES = 40
POLL_SECONDS = 0.01

# Linux sends the death signal when the *thread* that made the child ends (prctl(2)): a child of a short-lived
# worker thread would be killed with it. This thread lasts as long as the interpreter.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

_running: set["ServerProcess"] = set()


class ServerProcess:
    """A supervised child and the last lines it wrote."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        on_line: Callable[[str], None] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        death_signal: signal.Signals = signal.SIGKILL,
        unprivileged: bool = False,
    ) -> None:
        """Starts the child; a program that cannot be started shows as an early exit with code 127.

        Args:
            name: what error messages call the child.
            command: program and arguments.
            env: its whole environment; None passes on this process's.
            cwd: its working folder.
            on_line: called from a reader thread with each line of stdout and stderr.
            stop_signal: asks the child for a graceful end.
            death_signal: what Linux sends the child when its owner has ended.
            unprivileged: a root owner starts the child as an ordinary user of a user namespace.
        """
        self.name = name
        self.last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._on_line = on_line
        self._stop_signal = stop_signal
        self._exited = threading.Event()
        wrapped = [
            *(sys.executable, "-I", "-S", launcher.__file__),
            *(str(os.getpid()), str(int(death_signal)), "drop" if unprivileged else "keep"),
            *(str(part) for part in command),
        ]
        self._popen = _spawner.submit(
            subprocess.Popen,
            wrapped,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            start_new_session=True,
            text=True,
            errors="replace",
        ).result()
        self._reader = threading.Thread(target=self._read_lines, name=f"read {name}", daemon=True)
        self._reader.start()
        _running.add(self)
        threading.Thread(target=self._await_exit, name=f"await {name}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its group and session."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, the negative signal number if killed, None while the process runs."""
        return self._popen.returncode if self._exited.is_set() else None

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Waits for the process to end and returns whether it did within the time limit."""
        return self._exited.wait(timeout_seconds)

    def wait_until_ready(self, is_ready: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Polls `is_ready` until it returns True.

        Raises:
            ProcessStartError: the process ended first, or the time limit was reached; with its last lines.
            UnsupportedHostError: it could not drop root.
        """
        deadline = time.monotonic() + timeout_seconds
        while not is_ready():
            if self._exited.wait(POLL_SECONDS):
                raise self._failure(f"{self.name} ended with {self.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise ProcessStartError(
                    self._with_log(f"{self.name} was not ready within {timeout_seconds:g} s")
                )

    def wait_for_success(self, *, timeout_seconds: float) -> None:
        """Waits for a child that does its work and ends.

        Raises:
            ProcessStartError: it failed, or the time limit was reached; with its last lines.
            UnsupportedHostError: it could not drop root.
        """
        if not self._exited.wait(timeout_seconds):
            raise ProcessStartError(self._with_log(f"{self.name} took longer than {timeout_seconds:g} s"))
        if self.returncode != 0:
            raise self._failure(f"{self.name} failed with {self.returncode}")

    def stop(self, *, grace_seconds: float = 5) -> None:
        """Stops the child: `stop_signal`, after the grace period SIGKILL for its group; may be repeated."""
        if not self._exited.is_set():
            self._signal_group(self._stop_signal)
        if not self._exited.wait(grace_seconds):
            self._signal_group(signal.SIGKILL)
        self._exited.wait()
        self._reader.join(timeout=1)

    def __enter__(self) -> Self:
        """Returns the process itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the process."""
        self.stop()

    def _read_lines(self) -> None:
        assert self._popen.stdout is not None  # noqa: S101  # set by stdout=PIPE above; narrows the type
        with self._popen.stdout as lines:
            for line in lines:
                self.last_lines.append(line.rstrip("\n"))
                if self._on_line is not None:
                    self._on_line(line.rstrip("\n"))

    def _await_exit(self) -> None:
        self._popen.wait()
        self._signal_group(signal.SIGKILL)  # grandchildren that outlived their leader
        _running.discard(self)
        self._exited.set()

    def _signal_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # the group is empty; macOS says so by EPERM
            return

    def _failure(self, message: str) -> ProcessStartError | UnsupportedHostError:
        self._reader.join(timeout=1)
        if self.returncode == launcher.EXIT_CANNOT_DROP_ROOT:
            return UnsupportedHostError(
                f"{self.name} refuses to run as root, and this machine does not allow user namespaces: "
                "start this command as an ordinary user"
            )
        return ProcessStartError(self._with_log(message))

    def _with_log(self, message: str) -> str:
        log = "\n".join(f"  {line}" for line in self.last_lines)
        return f"{message}; its last lines:\n{log}" if log else f"{message}; it wrote nothing"


def run(
    command: Sequence[str | Path],
    *,
    timeout_seconds: float,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs a short command to its end and returns its exit code and output.

    Raises:
        ProcessStartError: it could not be started, or took longer than the time limit.
    """
    name = Path(command[0]).name
    try:
        return subprocess.run(
            command,
            input=stdin,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
    except OSError as error:
        raise ProcessStartError(f"cannot start {command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ProcessStartError(f"{name} took longer than {timeout_seconds:g} s") from error


def stop_all(*, grace_seconds: float) -> None:
    """Stops every supervised child of this program at once, including those of a running download or build.

    Code that waits for such a child sees it fail.
    """
    threads = [
        threading.Thread(target=process.stop, kwargs={"grace_seconds": grace_seconds})
        for process in tuple(_running)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
