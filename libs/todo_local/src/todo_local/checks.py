"""Checks a running application: asks every service, runs the synthetic user, shows the time of each step."""

import time
from collections.abc import Iterator, Mapping

import httpx2
from rich.table import Table

from todo_local.console import Console
from todo_local.errors import CheckError
from todo_synthetic_user.journey import JourneyError, JourneyStep, run_journey
from todo_synthetic_user.origin import RESPONSE_TIMEOUT_SECONDS, Origin

OWN_PATHS = ("/readyz", "/metrics")  # of each service, on its own port
PUBLIC_PATHS = ("/api/health", "/sign-in")  # through the origin


def check_application(origin: str, service_ports: Mapping[str, int], console: Console) -> None:
    """Asks every service, then runs the synthetic user through `origin`, and shows the times.

    Raises:
        CheckError: a service does not answer as it should, or a step of the synthetic user failed.
    """
    steps: list[JourneyStep] = []
    try:
        with httpx2.Client(timeout=RESPONSE_TIMEOUT_SECONDS, trust_env=False) as client:
            for name, url in _urls(origin, service_ports):
                steps.append(_request(client, name, url))
        run_journey(Origin(origin), on_step=steps.append)
    except JourneyError as error:
        raise CheckError(
            str(error), remedy="The logs of the services this step goes through say why."
        ) from error
    finally:
        console.table(_table(steps))


def _urls(origin: str, service_ports: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for service, port in service_ports.items():
        for path in OWN_PATHS:
            yield f"{service} {path}", f"http://127.0.0.1:{port}{path}"
    for path in PUBLIC_PATHS:
        yield f"origin {path}", f"{origin}{path}"


def _request(client: httpx2.Client, name: str, url: str) -> JourneyStep:
    began_at = time.monotonic()
    try:
        response = client.get(url)
    except httpx2.HTTPError as error:
        raise CheckError(f"{url} did not answer: {error}.", remedy="See the service's log.") from error
    if response.status_code != 200:
        raise CheckError(
            f"{url} answered {response.status_code} instead of 200: {response.text[:300]!r}.",
            remedy="See the service's log.",
        )
    return JourneyStep(name, (time.monotonic() - began_at) * 1000)


def _table(steps: list[JourneyStep]) -> Table:
    table = Table("check", "ms", title="Checks that passed")
    table.columns[1].justify = "right"
    for step in steps:
        table.add_row(step.name, f"{step.milliseconds:.0f}")
    return table
