"""Starts programs; no other module does.

It resolves, logs and runs a program, and turns its failure into an error. Secrets are masked by value here,
before a line of output can reach a screen, a log or an error.
"""

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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
) -> Completed:
    """Runs a program to its end and returns what it printed, with its line ends.

    `env` is added to the environment; `secrets` are masked in both outputs. With `check`, a code other than 0
    raises.

    Raises:
        CommandError: The program is missing, failed (with `check`), or took longer than `timeout_seconds`.
    """
    arguments = _resolve(argv)
    LOG.debug("run %s", _shown(arguments, secrets))
    try:
        finished = subprocess.run(
            arguments,
            cwd=cwd,
            env=_environment(env),
            input=None if stdin is None else stdin.encode(),
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _timed_out(arguments, timeout_seconds, secrets) from error
    completed = Completed(
        argv=tuple(arguments),
        returncode=finished.returncode,
        stdout=mask(finished.stdout.decode(errors="replace"), secrets),
        stderr=mask(finished.stderr.decode(errors="replace"), secrets),
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
    secrets: Sequence[str] = (),
) -> int:
    """Runs a program, passes each line of its output to `on_line`, and returns the exit code.

    Both streams are read. Setting `cancel` ends the program: it gets SIGTERM, and SIGKILL after STOP_SECONDS.
    With `with_children` the programs that it started itself are ended too, which a shell script may need; the
    terminal's Ctrl-C then reaches none of them directly.

    Raises:
        CommandError: As `run`, and when it was cancelled; the message ends with the last lines.
    """
    arguments = _resolve(argv)
    LOG.debug("run %s", _shown(arguments, secrets))
    process = subprocess.Popen(
        arguments,
        cwd=cwd,
        env=_environment(env),
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0 if with_children else None,
    )
    send_signal = partial(os.killpg, process.pid) if with_children else process.send_signal
    cancel = cancel or threading.Event()
    started_at = time.monotonic()
    tail: list[str] = []
    with _supervised(process, stdin, send_signal, cancel, timeout_seconds):
        try:
            for raw in process.stdout or ():
                line = mask(raw.decode(errors="replace").rstrip("\n"), secrets)
                tail = [*tail[-LINES_IN_ERROR:], line]
                on_line(line)
            process.wait()
        except BaseException:
            if with_children:
                cancel.set()  # `_guard` then sends SIGTERM and SIGKILL
            else:
                process.kill()
            process.wait()
            raise
    if process.returncode and cancel.is_set():
        raise CommandError(
            f"`{_shown(arguments, secrets)}` was cancelled.", remedy="Run it again without cancelling it."
        )
    if process.returncode and time.monotonic() - started_at >= timeout_seconds:
        raise _timed_out(arguments, timeout_seconds, secrets)
    if process.returncode and check:
        raise _failed(arguments, process.returncode, "\n".join(tail), secrets)
    return process.returncode


@contextlib.contextmanager
def _supervised(
    process: subprocess.Popen[bytes],
    stdin: bytes | None,
    send_signal: Callable[[int], None],
    cancel: threading.Event,
    timeout_seconds: float,
) -> Iterator[None]:
    """Feeds a program and ends it in time, while the block reads its output."""
    finished = threading.Event()
    threads = [
        threading.Thread(target=_feed, args=(process, stdin)),
        threading.Thread(target=_guard, args=(send_signal, cancel, finished, timeout_seconds)),
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


def _guard(
    send_signal: Callable[[int], None],
    cancel: threading.Event,
    finished: threading.Event,
    timeout_seconds: float,
) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not finished.wait(POLL_SECONDS):
        if cancel.is_set() or time.monotonic() >= deadline:
            with contextlib.suppress(ProcessLookupError):
                send_signal(signal.SIGTERM)
                if not finished.wait(STOP_SECONDS):
                    send_signal(signal.SIGKILL)
            return


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


def _timed_out(arguments: Sequence[str], timeout_seconds: float, secrets: Sequence[str]) -> CommandError:
    return CommandError(
        f"`{_shown(arguments, secrets)}` took longer than {timeout_seconds:g} s and was stopped.",
        remedy="Run it by hand to see where it hangs.",
    )
