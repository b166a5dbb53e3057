"""Runs the smoke checks of release.yaml one after the other: certificate, HTTP requests, programs.

A check that fails is repeated for a while, because an ingress needs some seconds to notice new pods; then its
last answer is the result.
"""

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx2

from todo_release.config.model import AnsweredBuild, HttpCheck, SmokeCommand, SmokeSettings, TlsCheck
from todo_release.core.clock import Clock, SystemClock
from todo_release.core.progress import ProgressCallback
from todo_release.environments.smoke.commands import run_command
from todo_release.environments.smoke.origin import RESPONSE_TIMEOUT_SECONDS, HttpOrigin
from todo_release.environments.smoke.result import (
    CheckFailedError,
    CheckResult,
    CommandStep,
    SmokeTarget,
)

PAUSE_SECONDS = 1.0
# Programs act as users do, and applications limit how often someone may sign up or sign in; a program that is
# repeated sooner would meet that limit, which would hide its first failure.
COMMAND_PAUSE_SECONDS = 15.0
DAY_SECONDS = 86_400
SHOWN_CHARACTERS = 120

OnResult = Callable[[str], None]
RunSmoke = Callable[[SmokeSettings, SmokeTarget, ProgressCallback], list[CheckResult]]


@dataclass(frozen=True, slots=True)
class _Check:
    """A check to run: `run` returns what it saw and, for a program, its steps."""

    name: str
    run: Callable[[], tuple[str, tuple[CommandStep, ...]]]
    pause_seconds: float = PAUSE_SECONDS


def run(
    settings: SmokeSettings,
    target: SmokeTarget,
    *,
    on_result: OnResult | None = None,
    clock: Clock | None = None,
) -> list[CheckResult]:
    """Runs every check of an environment; no failure hides that of another check.

    All share `settings.timeout_seconds` for repetitions; each is tried at least once. `on_result` is called
    with a line for each step of a program while it runs, and for each check when its result is known.
    """
    say = on_result or (lambda _line: None)
    ticking = clock or SystemClock()
    deadline = ticking.now() + settings.timeout_seconds
    results = []
    for check in _checks(settings, target, say):
        result = _repeat(check, deadline, ticking)
        results.append(result)
        say(_line(result.is_ok, result.name, result.detail))
    return results


def http_origin(settings: SmokeSettings, target: SmokeTarget) -> HttpOrigin:
    """Returns the origin that an environment's URL and its smoke settings describe."""
    host, _, port = (settings.connect_to or "").rpartition(":")
    return HttpOrigin(
        target.url,
        connect_to=(host.strip("[]"), int(port)) if settings.connect_to else None,
        ca_file=target.root / settings.ca_file if settings.ca_file else None,
    )


def _checks(settings: SmokeSettings, target: SmokeTarget, say: OnResult) -> Iterator[_Check]:
    origin = http_origin(settings, target)
    if settings.tls and origin.url.startswith("https:"):
        yield _Check("TLS", partial(_check_tls, origin, settings.tls))
    for http in settings.http:
        build = target.builds.get(http.build.image) if http.build else None
        yield _Check(f"GET {http.path}", partial(_check_http, origin, http, build))
    for command in settings.commands:
        yield _Check(
            command.name, partial(_check_command, command, settings, target, say), COMMAND_PAUSE_SECONDS
        )


def _repeat(check: _Check, deadline: float, clock: Clock) -> CheckResult:
    """Runs a check until it passes, cannot pass, or the next try would come after the deadline."""
    began = clock.now()
    while True:
        steps: tuple[CommandStep, ...] = ()
        is_ok, can_repeat = False, True
        try:
            detail, steps = check.run()
            is_ok = True
        except CheckFailedError as error:
            detail, steps, can_repeat = str(error), error.steps, error.can_repeat
        except (httpx2.HTTPError, OSError) as error:
            detail = str(error) or type(error).__name__
        if is_ok or not can_repeat or clock.now() + check.pause_seconds > deadline:
            return CheckResult(check.name, is_ok, detail, clock.now() - began, steps)
        clock.sleep(check.pause_seconds)


def _check_tls(origin: HttpOrigin, check: TlsCheck) -> tuple[str, tuple[CommandStep, ...]]:
    with (
        socket.create_connection(origin.address, timeout=RESPONSE_TIMEOUT_SECONDS) as plain,
        origin.tls().wrap_socket(plain, server_hostname=origin.host) as secured,
    ):
        certificate = secured.getpeercert() or {}
    expires_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    days = (expires_at.timestamp() - time.time()) / DAY_SECONDS
    if days < check.days:
        raise CheckFailedError(f"the certificate ends in {days:.0f} days ({expires_at:%Y-%m-%d})")
    return f"trusted, valid until {expires_at:%Y-%m-%d}", ()


def _check_http(
    origin: HttpOrigin, check: HttpCheck, build: str | None
) -> tuple[str, tuple[CommandStep, ...]]:
    """Asks once or, where a `build` is expected, several times over new connections."""
    if check.build is None:
        return str(_ask(origin, check).status_code), ()
    answers = [_answered_build(_ask(origin, check), check.build) for _ in range(check.build.answers)]
    shown = f"{check.status}, {len(answers)} in a row from {check.build.image}"
    if build is None:
        return f"{shown}, whose released build is not known: {', '.join(sorted(set(answers)))}", ()
    other = next((answer for answer in answers if answer != build), None)
    if other is not None:
        raise CheckFailedError(f"build {other!r} of {check.build.image} answered instead of {build!r}")
    return f"{shown} {build}", ()


def _ask(origin: HttpOrigin, check: HttpCheck) -> httpx2.Response:
    with origin.client() as client, client.stream("GET", check.path) as response:
        if response.status_code != check.status:
            raise CheckFailedError(f"answered {response.status_code} instead of {check.status}")
        is_body_needed = check.build is not None and check.build.json_ is not None
        if check.json_ is None and check.contains is None and not is_body_needed:
            return response  # the body may be a stream that never ends
        text = response.read().decode(errors="replace")
    if check.contains is not None and check.contains not in text:
        raise CheckFailedError(f"{check.contains!r} is not in {_shortened(text)}")
    if check.json_ is not None:
        _check_json(text, check.json_)
    return response


def _answered_build(response: httpx2.Response, build: AnsweredBuild) -> str:
    if build.header is not None:
        value, place = response.headers.get(build.header), f"header {build.header}"
    else:
        answer = _parse_json(response.text)
        value, place = answer.get(build.json_) if isinstance(answer, dict) else None, f"key {build.json_!r}"
    if value is None:
        raise CheckFailedError(f"the answer has no {place}, which should say its build")
    return str(value)


def _check_json(text: str, wanted: Mapping[str, Any]) -> None:
    answer = _parse_json(text)
    for key, value in wanted.items():
        actual = answer.get(key) if isinstance(answer, dict) else None
        if actual != value:
            raise CheckFailedError(f"{key!r} is {actual!r} instead of {value!r}")


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise CheckFailedError(f"answered no JSON but {_shortened(text)}") from None


def _check_command(
    command: SmokeCommand, settings: SmokeSettings, target: SmokeTarget, say: OnResult
) -> tuple[str, tuple[CommandStep, ...]]:
    def say_step(step: CommandStep) -> None:
        detail = step.error or f"{step.milliseconds:.0f} ms{f', {step.detail}' if step.detail else ''}"
        say(_line(step.error is None, f"{command.name}, {step.name}", detail))

    steps = run_command(command, settings, target, say_step)
    if not steps:
        return "exit code 0", ()
    return f"{len(steps)} steps in {sum(step.milliseconds for step in steps):.0f} ms", steps


def _line(is_ok: bool, name: str, detail: str) -> str:
    return f"{'ok' if is_ok else 'FAILED'}  {name}: {detail}"


def _shortened(text: str) -> str:
    flat = " ".join(text.split())
    return repr(flat[:SHOWN_CHARACTERS])
