"""The program `todo-synthetic-user`, by the contract of `smoke.commands` in release.yaml.

One JSON object a line on stdout for each step (`step`, `milliseconds` and, for the one that failed, `error`);
exit code 0 when every step passed, 1 when one failed, 2 for wrong arguments.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from todo_synthetic_user.journey import JourneyError, JourneyStep, run_journey
from todo_synthetic_user.origin import Origin, parse_address

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the journey that the arguments describe and returns the exit code."""
    origin = _origin(arguments)
    # The default action of SIGTERM would leave the account behind.
    previous = signal.signal(signal.SIGTERM, _exit_on_signal)
    try:
        run_journey(origin, on_step=_print_step)
    except JourneyError as error:
        _print(step=error.step, milliseconds=error.milliseconds, error=error.seen)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 0


def _origin(arguments: Sequence[str] | None) -> Origin:
    parser = argparse.ArgumentParser(
        prog="todo-synthetic-user", description="Use a running application as a user would."
    )
    parser.add_argument(
        "--url", required=True, help="public URL of the application, such as http://localhost:8080"
    )
    parser.add_argument(
        "--connect-to",
        default=os.environ.get("SMOKE_CONNECT_TO") or None,
        type=parse_address,
        metavar="HOST:PORT",
        help="connect to this address instead of the URL's (default: $SMOKE_CONNECT_TO)",
    )
    parser.add_argument(
        "--ca-file",
        default=os.environ.get("SMOKE_CA_FILE") or None,
        type=Path,
        help="trust this certificate authority too, a PEM file (default: $SMOKE_CA_FILE)",
    )
    options = parser.parse_args(arguments)
    return Origin(options.url, connect_to=options.connect_to, ca_file=options.ca_file)


def _print_step(step: JourneyStep) -> None:
    _print(step=step.name, milliseconds=step.milliseconds)


def _print(*, step: str, milliseconds: float, error: str | None = None) -> None:
    record: dict[str, object] = {"step": step, "milliseconds": round(milliseconds, 1)}
    if error is not None:
        record["error"] = error
    sys.stdout.write(f"{json.dumps(record)}\n")
    sys.stdout.flush()


def _exit_on_signal(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)
