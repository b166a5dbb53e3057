"""The step that inspects an environment before a release changes anything."""

from dataclasses import dataclass

from todo_release.core.progress import Say
from todo_release.pipeline.runner import StepResult
from todo_release.pipeline.steps import Preflight
from todo_release.preflight import listing
from todo_release.preflight.errors import error_of
from todo_release.preflight.inspection import Inspect


@dataclass(frozen=True, slots=True)
class PreflightHandler:
    """Inspects an environment; `inspect` takes its name and a version."""

    inspect: Inspect

    def check(self, step: Preflight) -> StepResult | None:
        """Never done before: a cluster that was fine yesterday says nothing about today."""
        return None

    def do(self, step: Preflight, say: Say) -> StepResult:
        """Inspect, and tell what was found.

        Raises:
            PreflightError: something would certainly fail.
        """
        found = self.inspect(step.environment, step.version)
        *told, verdict = listing.lines(found)
        for line in told:
            say(line)
        say(verdict, is_note=True)
        if found.errors:
            raise error_of(found)
        return found.as_json()
