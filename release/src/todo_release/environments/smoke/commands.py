"""Smoke checks that are programs: starts one, reads the steps that it prints, and decides whether it passed.

The contract, also stated in the schema of release.yaml (`SmokeCommand`): the program gets URL and version as
arguments; it prints one JSON object a line for each step; exit code 0 means passed. A line that is no such
object is no mistake: the last of them are shown when the program fails.
"""

import json
import os
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from todo_release.adapters import process
from todo_release.config.model import SmokeCommand, SmokeSettings
from todo_release.core.masking import mask, mask_log
from todo_release.environments.smoke.result import CheckFailedError, CommandStep, SmokeTarget
from todo_release.errors import CommandError

KEPT_LINES = 5
SHOWN_CHARACTERS = 300
LONGEST_MILLISECONDS = 1e9  # what is more, or not a number, is not a time
# Programs inherit the environment; what such a variable holds is masked in all that they print.
SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS", re.IGNORECASE)
SHORTEST_SECRET = 6  # anything shorter would mask harmless words


def run_command(
    command: SmokeCommand,
    settings: SmokeSettings,
    target: SmokeTarget,
    on_step: Callable[[CommandStep], None],
) -> tuple[CommandStep, ...]:
    """Runs a program of release.yaml and returns its steps; `on_step` is called with each as it is printed.

    Raises:
        CheckFailedError: the program is missing, took too long, or ended with another code than 0.
    """
    argv = _arguments(command, target)
    if process.find_program(argv[0]) is None:
        raise CheckFailedError(
            f"the program {argv[0]!r} was not found; install it or correct smoke.commands in release.yaml",
            can_repeat=False,
        )
    secrets = _inherited_secrets(os.environ)
    steps: list[CommandStep] = []
    tail: deque[str] = deque(maxlen=KEPT_LINES)

    def read_line(line: str) -> None:
        step = parse_step(line, secrets)
        if step is None:
            tail.append(_shown(line, secrets))
        else:
            steps.append(step)
            on_step(step)

    try:
        code = process.stream(
            argv,
            read_line,
            cwd=target.root,
            env=_environment(settings, target),
            timeout_seconds=command.timeout_seconds,
            check=False,
            with_children=True,
            secrets=secrets,
        )
    except CommandError as error:  # the program is there, so it can only have taken too long
        last = f" after the step '{steps[-1].name}'" if steps else ""
        raise CheckFailedError(
            f"took longer than {command.timeout_seconds:g} s and was ended{last}{_said(tail)}",
            steps=tuple(steps),
        ) from error
    if code != 0:
        failed = next((step for step in reversed(steps) if step.error is not None), None)
        detail = f"{failed.name}: {failed.error}" if failed else f"ended with code {code}{_said(tail)}"
        raise CheckFailedError(detail, steps=tuple(steps))
    return tuple(steps)


def parse_step(line: str, secrets: Sequence[str] = ()) -> CommandStep | None:
    """Returns the step that a line reports, without secrets; None if the line is something else."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    name, milliseconds = record.get("step"), record.get("milliseconds")
    if not isinstance(name, str) or isinstance(milliseconds, bool):
        return None
    if not isinstance(milliseconds, int | float) or not 0 <= milliseconds < LONGEST_MILLISECONDS:
        return None
    detail, error = (
        None if record.get(key) is None else _shown(str(record[key]), secrets) for key in ("detail", "error")
    )
    return CommandStep(_shown(name, secrets), milliseconds, detail, error)


def _arguments(command: SmokeCommand, target: SmokeTarget) -> list[str]:
    program, *rest = (
        argument.replace("${url}", target.url).replace("${version}", target.version)
        for argument in command.argv
    )
    return [str(target.root / program) if "/" in program else program, *rest]


def _environment(settings: SmokeSettings, target: SmokeTarget) -> dict[str, str]:
    environment = {}
    if settings.connect_to:
        environment["SMOKE_CONNECT_TO"] = settings.connect_to
    if settings.ca_file:
        environment["SMOKE_CA_FILE"] = str((target.root / settings.ca_file).absolute())
    return environment


def _inherited_secrets(environ: Mapping[str, str]) -> list[str]:
    return [
        value for name, value in environ.items() if SECRET_NAME.search(name) and len(value) >= SHORTEST_SECRET
    ]


def _shown(text: str, secrets: Sequence[str]) -> str:
    return mask_log(mask(" ".join(text.split()), secrets))[:SHOWN_CHARACTERS]


def _said(tail: deque[str]) -> str:
    lines = [line for line in tail if line]
    return f"; its last lines: {' | '.join(lines)}" if lines else "; it printed nothing else"
