"""The step that inspects an environment before a release changes anything."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from todo_release.errors import PreflightError
from todo_release.pipeline.runner import Outcome, Say
from todo_release.pipeline.steps import Preflight
from todo_release.report import inspections

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection

Inspect = Callable[[str, str | None], "Inspection"]


@dataclass(frozen=True, slots=True)
class PreflightHandler:
    """Inspects an environment; `inspect` takes its name and a version."""

    inspect: Inspect

    def check(self, step: Preflight) -> Outcome | None:
        """Never done before: a cluster that was fine yesterday says nothing about today."""
        return None

    def do(self, step: Preflight, say: Say) -> Outcome:
        """Inspect, and tell what was found.

        Raises:
            PreflightError: something would certainly fail.
        """
        found = self.inspect(step.environment, step.version)
        *told, verdict = inspections.lines(found)
        for line in told:
            say(line)
        say(verdict, is_note=True)
        if found.errors:
            raise error_of(found)
        return found.as_json()


def error_of(found: "Inspection") -> PreflightError:
    """The error that ends a release, with all that would fail in it."""
    listed = "".join(f"\n  {inspections.line(finding)}" for finding in found.errors)
    count = len(found.errors)
    return PreflightError(
        f"{count} thing{'s' if count != 1 else ''} would fail in {found.environment}:{listed}",
        remedy="Correct what is listed; `--skip CHECK=REASON` goes on all the same.",
        findings=found.errors,
    )
