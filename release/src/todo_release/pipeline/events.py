"""What a running plan tells: small facts that a reporter shows as a live table, lines, JSON or a summary."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from todo_release.errors import ReleaseError
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import Step


@dataclass(frozen=True, slots=True)
class PlanStarted:
    """The plan begins; `interrupted` names the steps an earlier run was cut off in; seconds are by step
    id.
    """

    plan: Plan
    interrupted: tuple[str, ...]
    expected_seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step begins."""

    step: Step


@dataclass(frozen=True, slots=True)
class StepSpoke:
    """A line of output, or a short note of progress, from a step that is running."""

    step: Step
    text: str
    is_note: bool


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step is done; `was_done` tells that it was found done and nothing was changed."""

    step: Step
    was_done: bool
    seconds: float
    outcome: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step failed and the plan ends here."""

    step: Step
    seconds: float
    error: ReleaseError


@dataclass(frozen=True, slots=True)
class PlanEnded:
    """All steps are done."""

    plan: Plan
    seconds: float


RunEvent = PlanStarted | StepStarted | StepSpoke | StepEnded | StepFailed | PlanEnded
Listener = Callable[[RunEvent], None]
