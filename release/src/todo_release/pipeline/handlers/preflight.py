"""Inspects an environment before a release changes anything."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from todo_release.core.progress import ProgressCallback
from todo_release.pipeline.runner import StepResult
from todo_release.pipeline.steps import RunPreflight
from todo_release.preflight import listing
from todo_release.preflight.errors import error_of

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspect


@dataclass(frozen=True, slots=True)
class PreflightHandler:
    """Inspects an environment; `inspect` takes its name and a version."""

    inspect: "Inspect"

    def check(self, step: RunPreflight) -> StepResult | None:
        """Returns None: an earlier inspection says nothing about the cluster of today."""
        return None

    def do(self, step: RunPreflight, say: ProgressCallback) -> StepResult:
        """Inspects the environment and reports the findings.

        Raises:
            PreflightError: something would certainly fail.
        """
        inspection = self.inspect(step.environment, step.version)
        *lines, verdict = listing.lines(inspection)
        for line in lines:
            say(line)
        say(verdict, is_note=True)
        if inspection.errors:
            raise error_of(inspection)
        return inspection.as_json()
