"""Uses a running application as two clients would, and shows how long each step took."""

import time
from collections.abc import Iterator, Mapping

import httpx2
from rich.table import Table

from todo_local.console import Console
from todo_local.errors import CheckError
from todo_release.environments.smoke.origin import ANSWER_SECONDS, Origin
from todo_release.environments.smoke.user_journey import Step, run_transaction

OWN_PATHS = ("/readyz", "/metrics")  # of each service, on its own port
PUBLIC_PATHS = ("/api/health", "/sign-in")  # through the origin


def check_application(origin: str, service_ports: Mapping[str, int], console: Console) -> None:
    """Ask every service, then run the synthetic transaction through `origin`, and show the timings.

    Raises CheckError for a service, TransactionError for the transaction.
    """
    steps: list[Step] = []
    try:
        with httpx2.Client(timeout=ANSWER_SECONDS, trust_env=False) as client:
            for name, url in _urls(origin, service_ports):
                steps.append(_ask(client, name, url))
        run_transaction(Origin(origin), on_step=steps.append)
    finally:
        console.table(_table(steps))


def _urls(origin: str, service_ports: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for service, port in service_ports.items():
        for path in OWN_PATHS:
            yield f"{service} {path}", f"http://127.0.0.1:{port}{path}"
    for path in PUBLIC_PATHS:
        yield f"origin {path}", f"{origin}{path}"


def _ask(client: httpx2.Client, name: str, url: str) -> Step:
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
    return Step(name, (time.monotonic() - began_at) * 1000)


def _table(steps: list[Step]) -> Table:
    table = Table("check", "ms", title="Checks that passed")
    table.columns[1].justify = "right"
    for step in steps:
        table.add_row(step.name, f"{step.milliseconds:.0f}")
    return table
