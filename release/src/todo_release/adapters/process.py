"""Starts programs; no other module does.

It resolves, logs and runs a program, and turns its failure into an error. Secrets are masked by value here,
before a line of output can reach a screen, a log or an error. Every program dies with this process, however
that ends (`child_reaper`).
"""

import atexit
import contextlib
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from todo_release.adapters import child_reaper
from todo_release.core.fence import Fence
from todo_release.core.masking import mask
from todo_release.errors import CommandError

LineCallback = Callable[[str], None]
LOG = logging.getLogger(__name__)
LINES_IN_ERROR = 15
POLL_SECONDS = 0.05
STOP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Completed:
    """The result of a finished program; texts are decoded, secrets masked."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout_seconds: float = 120,
    check: bool = True,
    secrets: Sequence[str] = (),
    undecodable: Literal["replace", "surrogateescape"] = "replace",
) -> Completed:
    """Runs a program to its end and returns what it printed, with its line ends.

    `env` is added to the environment; `secrets` are masked in both outputs. With `check`, a code other than 0
    raises. `undecodable` says what becomes of bytes in its output that are not UTF-8; `surrogateescape` keeps
    them, as file names need it.

    Raises:
        CommandError: The program is missing, failed (with `check`), or took longer than `timeout_seconds`.
    """
    arguments = _resolve(argv)
    LOG.debug("run %s", _shown(arguments, secrets))
    _REAPER.prepare()
    with (
        subprocess.Popen(
            arguments,
            cwd=cwd,
            env=_environment(env),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
        _REAPER.keeping(process.pid, is_group=False),
    ):
        try:
            stdout, stderr = process.communicate(
                None if stdin is None else stdin.encode(), timeout=timeout_seconds
            )
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise _timed_out(arguments, timeout_seconds, secrets) from error
        except BaseException:
            process.kill()
            raise
    completed = Completed(
        argv=tuple(arguments),
        returncode=process.returncode,
        stdout=mask(stdout.decode(errors=undecodable), secrets),
        stderr=mask(stderr.decode(errors="replace"), secrets),
    )
    if check and completed.returncode != 0:
        raise _failed(arguments, completed.returncode, completed.stderr or completed.stdout, secrets)
    return completed


def stream(
    argv: Sequence[str | Path],
    on_line: LineCallback,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    cancel: threading.Event | None = None,
    timeout_seconds: float = 1800,
    check: bool = True,
    with_children: bool = False,
    fence: Fence | None = None,
    secrets: Sequence[str] = (),
) -> int:
    """Runs a program, passes each line of its output to `on_line`, and returns the exit code.

    Both streams are read. Setting `cancel` ends the program: it gets SIGTERM, and SIGKILL after STOP_SECONDS.
    With `with_children` the programs that it started itself are ended too, which a shell script may need; the
    terminal's Ctrl-C then reaches none of them directly. When the `fence` closes, the program gets
    SIGKILL at once, also while this process is stopped.

    Raises:
        CommandError: As `run`, and when it was cancelled; the message ends with the last lines.
        LockedError: The `fence` closed.
    """
    if fence:
        fence.check()
    arguments = _resolve(argv)
    LOG.debug("run %s", _shown(arguments, secrets))
    _REAPER.prepare()
    process = _start(arguments, cwd, env, has_input=stdin is not None, has_group=with_children)
    send_signal = partial(os.killpg, process.pid) if with_children else process.send_signal
    cancel = cancel or threading.Event()
    started_at = time.monotonic()
    tail: deque[str] = deque(maxlen=LINES_IN_ERROR)
    with (
        _REAPER.keeping(process.pid, is_group=with_children, fence=fence) as extend,
        _supervised(process, stdin, _Limits(send_signal, cancel, timeout_seconds, fence, extend)),
    ):
        try:
            _read_lines(process, on_line, tail, secrets)
        except BaseException:
            if with_children:
                cancel.set()  # `_guard` then sends SIGTERM and SIGKILL
            else:
                process.kill()
            process.wait()
            raise
    if process.returncode:
        if fence:
            fence.check()
        if cancel.is_set():
            raise _cancelled(arguments, secrets)
        if time.monotonic() - started_at >= timeout_seconds:
            raise _timed_out(arguments, timeout_seconds, secrets)
        if check:
            raise _failed(arguments, process.returncode, "\n".join(tail), secrets)
    return process.returncode


def _start(
    arguments: Sequence[str],
    cwd: Path | None,
    env: Mapping[str, str] | None,
    *,
    has_input: bool,
    has_group: bool,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        arguments,
        cwd=cwd,
        env=_environment(env),
        stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0 if has_group else None,
    )


def _read_lines(
    process: subprocess.Popen[bytes], on_line: LineCallback, tail: deque[str], secrets: Sequence[str]
) -> None:
    for raw in process.stdout or ():
        line = mask(raw.decode(errors="replace").rstrip("\n"), secrets)
        tail.append(line)
        on_line(line)
    process.wait()


@dataclass(frozen=True, slots=True)
class _Limits:
    """What ends a program early; `extend` tells the reaper how long the fence permits writing by now."""

    send_signal: Callable[[int], None]
    cancel: threading.Event
    timeout_seconds: float
    fence: Fence | None
    extend: Callable[[], None]


@contextlib.contextmanager
def _supervised(process: subprocess.Popen[bytes], stdin: bytes | None, limits: _Limits) -> Iterator[None]:
    """Feeds a program and ends it in time, while the block reads its output."""
    finished = threading.Event()
    threads = [
        threading.Thread(target=_feed, args=(process, stdin)),
        threading.Thread(target=_guard, args=(limits, finished)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        finished.set()
        for thread in threads:
            thread.join()
        if process.stdout:
            process.stdout.close()


def _feed(process: subprocess.Popen[bytes], stdin: bytes | None) -> None:
    if process.stdin is None:
        return
    # A program may end without reading all of its input; its exit code says whether that was a failure.
    with contextlib.suppress(BrokenPipeError), process.stdin:
        process.stdin.write(stdin or b"")


def _guard(limits: _Limits, finished: threading.Event) -> None:
    deadline = time.monotonic() + limits.timeout_seconds
    while not finished.wait(POLL_SECONDS):
        limits.extend()
        if limits.fence and not limits.fence.is_open:
            with contextlib.suppress(ProcessLookupError):
                limits.send_signal(signal.SIGKILL)  # SIGTERM would let it write how it ended
            return
        if limits.cancel.is_set() or time.monotonic() >= deadline:
            with contextlib.suppress(ProcessLookupError):
                limits.send_signal(signal.SIGTERM)
                if not finished.wait(STOP_SECONDS):
                    limits.send_signal(signal.SIGKILL)
            return


class _Reaper:
    """The one `child_reaper` of this process, and what it was told to keep."""

    def __init__(self) -> None:
        self._sending = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._kept: dict[int, str] = {}

    def prepare(self) -> None:
        """Starts the reaper before the program, which then lives a moment at most before it is kept."""
        with self._sending:
            if self._process is None:
                self._start()

    @contextlib.contextmanager
    def keeping(
        self, pid: int, *, is_group: bool, fence: Fence | None = None
    ) -> Iterator[Callable[[], None]]:
        """Has a program killed when this process ends, or when nobody extends its permission in time.

        Yields a function that tells how long the fence permits writing by now.
        """
        told: list[float | None] = []

        def extend() -> None:
            left = fence.seconds_left if fence else None
            until = None if left is None else round(time.monotonic() + left)
            if told[-1:] != [until]:
                told.append(until)
                limit = "-" if left is None else f"{left:.3f}"
                self._keep(pid, f"keep {pid} {'group' if is_group else 'pid'} {limit}\n")

        extend()
        try:
            yield extend
        finally:
            with self._sending:
                self._kept.pop(pid, None)
                self._send(f"drop {pid}\n")

    def close(self) -> None:
        """Ends the reaper, which kills what is still kept."""
        with self._sending:
            process, self._process = self._process, None
        if process and process.stdin:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            process.wait()

    def _keep(self, pid: int, line: str) -> None:
        with self._sending:
            self._kept[pid] = line
            self._send(line)

    def _send(self, line: str) -> None:
        """Sends a line; starts the reaper first if there is none, or if somebody killed it."""
        try:
            if self._process is None:
                self._start()
            else:
                self._write(line)
        except BrokenPipeError:
            self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", child_reaper.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a signal to the terminal's group must not reach it
        )
        for line in self._kept.values():
            self._write(line)

    def _write(self, line: str) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


_REAPER = _Reaper()
atexit.register(_REAPER.close)


def find_program(name: str | Path) -> str | None:
    """Returns the path of a program on PATH or beside the Python interpreter; None if it is not there."""
    # Helm is a dependency of this package and is installed beside the interpreter, on PATH or not.
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


def _resolve(argv: Sequence[str | Path]) -> list[str]:
    program, *rest = (str(part) for part in argv)
    path = find_program(program)
    if path is None:
        raise CommandError(f"The program {program!r} was not found on PATH.", remedy=f"Install {program}.")
    return [path, *rest]


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(extra or {})}


def _shown(arguments: Sequence[str], secrets: Sequence[str]) -> str:
    return mask(shlex.join([Path(arguments[0]).name, *arguments[1:]]), secrets)


def _failed(arguments: Sequence[str], code: int, output: str, secrets: Sequence[str]) -> CommandError:
    tail = "\n".join(output.strip().splitlines()[-LINES_IN_ERROR:])
    return CommandError(
        f"`{_shown(arguments, secrets)}` ended with code {code}: {tail or 'it printed nothing'}",
        remedy="Run it by hand to see more.",
    )


def _cancelled(arguments: Sequence[str], secrets: Sequence[str]) -> CommandError:
    return CommandError(
        f"`{_shown(arguments, secrets)}` was cancelled.", remedy="Run it again without cancelling it."
    )


def _timed_out(arguments: Sequence[str], timeout_seconds: float, secrets: Sequence[str]) -> CommandError:
    return CommandError(
        f"`{_shown(arguments, secrets)}` took longer than {timeout_seconds:g} s and was stopped.",
        remedy="Run it by hand to see where it hangs.",
    )
