"""The error of a preflight that found what would certainly fail."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from todo_release.errors import ReleaseError
from todo_release.preflight import listing
from todo_release.preflight.finding import Finding

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection


class PreflightError(ReleaseError):
    """Something would certainly fail in an environment; `findings` are the errors, each with its place."""

    exit_code = 15

    def __init__(self, problem: str, *, remedy: str, findings: Sequence[Finding] = ()) -> None:
        """`problem` lists the findings, one a line."""
        super().__init__(problem, remedy=remedy)
        self.findings = tuple(findings)


def error_of(inspection: "Inspection") -> PreflightError:
    """Returns the error that ends a release, with every error that the inspection found."""
    return error_from(inspection.environment, inspection.errors)


def error_from(environment: str, findings: Sequence[Finding]) -> PreflightError:
    """Returns the error that lists findings of one environment, and the pages that explain them."""
    listed = "".join(f"\n  {listing.line(finding)}" for finding in findings)
    count = len(findings)
    pages = ", ".join(sorted({finding.runbook for finding in findings}))
    return PreflightError(
        f"{count} thing{'s' if count != 1 else ''} would fail in {environment}:{listed}",
        remedy=f"Correct what is listed (see {pages}); `--skip CHECK=REASON` releases although a check found "
        "errors.",
        findings=findings,
    )
