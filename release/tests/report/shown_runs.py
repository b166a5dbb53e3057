"""Runs whose reports the tests of this folder look at."""

from todo_release.errors import RolloutError
from todo_release.report.reporter import Reporter

from ..doubles.harness import Harness

FAILURE = RolloutError("It crashes.", remedy="Correct it.", code=26, evidence=".release/evidence")


def run(harness: Harness, reporter: Reporter, version: str = "0.1.0") -> None:
    """Releases a version and shows it with a reporter."""
    session = harness.session
    session.run(session.plan_release(version), reporter)
