"""Starts programs: the only module that does. It resolves, logs, runs, judges and raises.

Secrets are masked by value here, in one place, before a line of output can reach a screen, a log or an error.
"""

import logging
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from todo_release.errors import CommandError

LOG = logging.getLogger(__name__)
MASK = "*****"
LINES_IN_ERROR = 15


@dataclass(frozen=True, slots=True)
class Completed:
    """What a finished program left; texts are decoded, secrets masked."""

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
    """Run a program to its end and return what it printed.

    `env` is added to the environment; `secrets` are replaced in both outputs. With `check`, a code other
    than 0 raises.

    Raises:
        CommandError: the program is missing, failed (with `check`), or took longer than `timeout_seconds`.
    """
    arguments = _resolve(argv)
    LOG.debug("run %s", _shown(arguments, secrets))
    try:
        finished = subprocess.run(
            arguments,
            cwd=cwd,
            env=_environment(env),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _timed_out(arguments, timeout_seconds, secrets) from error
    completed = Completed(
        argv=tuple(arguments),
        returncode=finished.returncode,
        stdout=mask(finished.stdout, secrets),
        stderr=mask(finished.stderr, secrets),
    )
    if check and completed.returncode != 0:
        raise _failed(arguments, completed.returncode, completed.stderr or completed.stdout, secrets)
    return completed


def stream(
    argv: Sequence[str | Path],
    on_line: Callable[[str], None],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_seconds: float = 1800,
    secrets: Sequence[str] = (),
) -> None:
    """Run a program and give each line of its output (both streams, as they come) to `on_line`.

    Raises:
        CommandError: as `run` does; the message ends with the last lines.
    """
    arguments = _resolve(argv)
    LOG.debug("run %s", _shown(arguments, secrets))
    process = subprocess.Popen(
        arguments,
        cwd=cwd,
        env=_environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        bufsize=1,
    )
    is_late = threading.Event()

    def stop() -> None:
        is_late.set()
        process.kill()

    timer = threading.Timer(timeout_seconds, stop)
    timer.start()
    tail: list[str] = []
    try:
        with process:
            for raw in process.stdout or ():
                line = mask(raw.rstrip("\n"), secrets)
                tail = [*tail[-LINES_IN_ERROR:], line]
                on_line(line)
    except BaseException:
        process.kill()
        raise
    finally:
        timer.cancel()
    if is_late.is_set():
        raise _timed_out(arguments, timeout_seconds, secrets)
    if process.returncode != 0:
        raise _failed(arguments, process.returncode, "\n".join(tail), secrets)


def mask(text: str, secrets: Sequence[str]) -> str:
    """Replace every secret in a text by stars; the longest first, so that no secret hides inside another."""
    for secret in sorted((value for value in secrets if value), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _resolve(argv: Sequence[str | Path]) -> list[str]:
    program, *rest = (str(part) for part in argv)
    found = shutil.which(program)
    if found is None:
        raise CommandError(f"The program {program!r} was not found on PATH.", remedy=f"Install {program}.")
    return [found, *rest]


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
