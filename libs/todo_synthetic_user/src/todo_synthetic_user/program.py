"""The program `todo-synthetic-user`, by the contract of `smoke.commands` in release.yaml.

One JSON object a line on stdout for each step (`step`, `milliseconds` and, for the one that failed, `error`);
exit code 0 when every step passed, 1 when one failed, 2 for wrong arguments. With `load` it is one object for
each route, each failure and each stream, and one with the result.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import httpx2

from todo_synthetic_user.journey import JourneyError, JourneyStep, run_journey
from todo_synthetic_user.load.run import LoadReport, LoadShape, run_load
from todo_synthetic_user.origin import Origin, parse_address
from todo_synthetic_user.person import UnexpectedAnswerError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the journey or the load that the arguments describe and returns the exit code."""
    options = _parser().parse_args(arguments)
    origin = Origin(options.url, connect_to=options.connect_to, ca_file=options.ca_file)
    if options.mode == "load":
        return _load(origin, options)
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


def _load(origin: Origin, options: argparse.Namespace) -> int:
    shape = LoadShape(options.users, options.streams, options.rate)
    try:
        report = asyncio.run(_run_load(origin, shape, options.seconds))
    except (UnexpectedAnswerError, httpx2.HTTPError, TimeoutError) as error:
        _print(error=f"{type(error).__name__} {error}".rstrip(), passed=False)
        return 1
    for route, counts in report.counts.routes.items():
        _print(route=route, **asdict(counts))
    for failure in report.counts.failures:
        _print(**asdict(failure))
    for number, stream in enumerate(report.streams, start=1):
        _print(stream=number, **asdict(stream))
    _print(
        requests=report.counts.requests,
        failed=len(report.counts.failures),
        events_lost=report.events_lost,
        streams=len(report.streams),
        equal_streams=report.equal_streams,
        passed=report.has_passed,
    )
    return 0 if report.has_passed else 1


async def _run_load(origin: Origin, shape: LoadShape, seconds: float) -> LoadReport:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.call_later(seconds, stop.set)
    for number in (signal.SIGTERM, signal.SIGINT):  # the users are deleted also after that
        loop.add_signal_handler(number, stop.set)
    return await run_load(origin, shape, stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="todo-synthetic-user", description="Use a running application as a user would."
    )
    parser.add_argument(
        "mode",
        nargs="?",
        choices=["journey", "load"],
        default="journey",
        help="one user step by step, or constant load of several (default: journey)",
    )
    parser.add_argument("--seconds", type=float, default=60, help="length of the load (default: 60)")
    parser.add_argument("--users", type=int, default=3, help="users of the load (default: 3)")
    parser.add_argument("--streams", type=int, default=2, help="open streams of each user (default: 2)")
    parser.add_argument("--rate", type=float, default=12, help="requests a second of the load (default: 12)")
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
    return parser


def _print_step(step: JourneyStep) -> None:
    _print(step=step.name, milliseconds=step.milliseconds)


def _print(**record: object) -> None:
    rounded = {key: round(value, 1) if isinstance(value, float) else value for key, value in record.items()}
    sys.stdout.write(f"{json.dumps(rounded)}\n")
    sys.stdout.flush()


def _exit_on_signal(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)
