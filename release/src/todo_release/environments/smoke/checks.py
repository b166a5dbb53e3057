"""Asks a running environment from outside whether it works: certificate, HTTP routes, a synthetic
transaction.

Which checks there are stands in release.yaml. A check that fails is tried again for a while, because an
ingress needs some seconds to hear of new pods; then its last answer is the result.
"""

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx2

from todo_release.config.model import HttpCheck, SmokeSettings, TlsCheck
from todo_release.core.clock import Clock, SystemClock
from todo_release.core.progress import Say
from todo_release.environments.smoke.origin import ANSWER_SECONDS, Origin
from todo_release.environments.smoke.user_journey import TransactionError, run_transaction

PAUSE_SECONDS = 1.0
# Nobody may make accounts in quick succession; sooner, that refusal would hide the first failure.
TRANSACTION_PAUSE_SECONDS = 15.0
DAY_SECONDS = 86_400
SHOWN_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's verdict; `detail` says what was seen, `seconds` how long it took with its repetitions."""

    name: str
    is_ok: bool
    detail: str
    seconds: float


class CheckFailedError(Exception):
    """A check saw something else than it should have; the text says what."""


def origin_of(spec: SmokeSettings, url: str) -> Origin:
    """The origin that a URL and the settings of release.yaml describe."""
    host, _, port = (spec.connect_to or "").rpartition(":")
    return Origin(
        url,
        connect_to=(host.strip("[]"), int(port)) if spec.connect_to else None,
        ca_file=Path(spec.ca_file) if spec.ca_file else None,
    )


def run(
    spec: SmokeSettings,
    url: str,
    *,
    on_result: Callable[[str], None] | None = None,
    clock: Clock | None = None,
) -> list[CheckResult]:
    """Run every check of `spec` against an environment's URL, one after the other; none hides another's
    failure.

    All share `spec.timeout_seconds` for repetitions; each is tried at least once.
    """
    origin, ticking = origin_of(spec, url), clock or SystemClock()
    deadline = ticking.now() + spec.timeout_seconds
    results = []
    for name, check, pause in _checks(spec, origin):
        result = _try(name, check, deadline, ticking, pause_seconds=pause)
        results.append(result)
        if on_result:
            on_result(f"{'ok' if result.is_ok else 'FAILED'}  {result.name}: {result.detail}")
    return results


def _checks(spec: SmokeSettings, origin: Origin) -> Iterator[tuple[str, Callable[[], str], float]]:
    """Name, check, and the pause before it is tried again."""
    if spec.tls and origin.url.startswith("https:"):
        yield "TLS", partial(_check_tls, origin, spec.tls), PAUSE_SECONDS
    for http in spec.http:
        yield f"GET {http.path}", partial(_check_http, origin, http), PAUSE_SECONDS
    if spec.transaction:
        yield "transaction", partial(_check_transaction, origin), TRANSACTION_PAUSE_SECONDS


def _try(
    name: str, check: Callable[[], str], deadline: float, clock: Clock, *, pause_seconds: float
) -> CheckResult:
    began = clock.now()
    while True:
        try:
            detail, is_ok = check(), True
        except TransactionError as error:
            detail, is_ok = error.problem, False
        except (CheckFailedError, httpx2.HTTPError, OSError) as error:
            detail, is_ok = str(error) or type(error).__name__, False
        if is_ok or clock.now() + pause_seconds > deadline:
            return CheckResult(name, is_ok, detail, clock.now() - began)
        clock.sleep(pause_seconds)


def _check_tls(origin: Origin, check: TlsCheck) -> str:
    with (
        socket.create_connection(origin.address, timeout=ANSWER_SECONDS) as plain,
        origin.tls().wrap_socket(plain, server_hostname=origin.host) as secured,
    ):
        certificate = secured.getpeercert() or {}
    expires_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    days = (expires_at.timestamp() - time.time()) / DAY_SECONDS
    if days < check.days:
        raise CheckFailedError(f"the certificate ends in {days:.0f} days ({expires_at:%Y-%m-%d})")
    return f"trusted, valid until {expires_at:%Y-%m-%d}"


def _check_http(origin: Origin, check: HttpCheck) -> str:
    with origin.client() as client, client.stream("GET", check.path) as response:
        if response.status_code != check.status:
            raise CheckFailedError(f"answered {response.status_code} instead of {check.status}")
        if check.json_ is None and check.contains is None:
            return str(response.status_code)  # the body may be a stream that never ends
        text = response.read().decode(errors="replace")
    if check.contains is not None and check.contains not in text:
        raise CheckFailedError(f"{check.contains!r} is not in {_shortened(text)}")
    if check.json_ is not None:
        _check_json(text, check.json_)
    return str(response.status_code)


def _check_json(text: str, wanted: Mapping[str, Any]) -> None:
    try:
        answer = json.loads(text)
    except ValueError:
        raise CheckFailedError(f"answered no JSON but {_shortened(text)}") from None
    for key, value in wanted.items():
        found = answer.get(key) if isinstance(answer, dict) else None
        if found != value:
            raise CheckFailedError(f"{key!r} is {found!r} instead of {value!r}")


def _check_transaction(origin: Origin) -> str:
    steps = run_transaction(origin)
    return f"{len(steps)} steps in {sum(step.milliseconds for step in steps):.0f} ms"


def _shortened(text: str) -> str:
    flat = " ".join(text.split())
    return repr(flat[:SHOWN_CHARACTERS])


RunSmoke = Callable[[SmokeSettings, str, Say], "list[CheckResult]"]
