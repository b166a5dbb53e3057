"""One supervised child process: started, watched, read line by line and stopped, whatever program it is.

Every child leads a session of its own, so a Ctrl-C in the terminal reaches only the owner, which then stops
its children in its own order. On Linux a child dies with its owner, however that ends (`launcher`).
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

# Linux delivers the death signal when the *thread* that made the child ends (prctl(2)), so that a child
# started from a short-lived worker thread would be killed with it. This thread lasts as long as the
# interpreter.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

_running: set["ServerProcess"] = set()


class ServerProcess:
    """A running child with the lines it wrote.

    `on_line` is called from a reader thread with each line of stdout and stderr. `stop_signal` asks for a
    graceful end, `death_signal` is what Linux sends when the owner is gone. With `unprivileged` a root owner
    starts the child as an ordinary user of a user namespace.
    """

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
        """Start the child; a program that cannot be started shows as an early exit with code 127."""
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
        """The process id, which is also the id of its group and session."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, the negative signal number when killed, None while the process runs."""
        return self._popen.returncode if self._exited.is_set() else None

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait for the process to end; tells whether it did within the bound."""
        return self._exited.wait(timeout_seconds)

    def wait_until_ready(self, is_ready: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Poll `is_ready` until it holds.

        Raises ProcessStartError with the last lines of the log when the process ends first or the bound is
        reached, UnsupportedHostError when it could not give up root.
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
        """Wait for a child that does one thing and ends.

        Raises ProcessStartError with its last lines when it fails or exceeds the bound, UnsupportedHostError
        when it could not give up root.
        """
        if not self._exited.wait(timeout_seconds):
            raise ProcessStartError(self._with_log(f"{self.name} took longer than {timeout_seconds:g} s"))
        if self.returncode != 0:
            raise self._failure(f"{self.name} failed with {self.returncode}")

    def stop(self, *, grace_seconds: float = 5) -> None:
        """Ask the child to end, kill its group after the grace, return when it is gone; may be repeated."""
        if not self._exited.is_set():
            self._signal_group(self._stop_signal)
        if not self._exited.wait(grace_seconds):
            self._signal_group(signal.SIGKILL)
        self._exited.wait()
        self._reader.join(timeout=1)

    def __enter__(self) -> Self:
        """Return the process itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the process."""
        self.stop()

    def _read_lines(self) -> None:
        assert self._popen.stdout is not None  # noqa: S101 - set by stdout=PIPE above; narrows the type
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
                f"{self.name} refuses to run as root, and this machine lets nobody enter a user namespace: "
                "start this command as an ordinary user"
            )
        return ProcessStartError(self._with_log(message))

    def _with_log(self, message: str) -> str:
        log = "\n".join(f"  {line}" for line in self.last_lines)
        return f"{message}; its last lines:\n{log}" if log else f"{message}; it wrote nothing"


def stop_all(*, grace_seconds: float) -> None:
    """Stop every child of this program at once, those too that were started deep inside a fetch or a build.

    For giving up: whoever waits for such a child sees it fail.
    """
    threads = [
        threading.Thread(target=process.stop, kwargs={"grace_seconds": grace_seconds})
        for process in tuple(_running)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
