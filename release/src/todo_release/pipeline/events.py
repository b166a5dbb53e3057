"""The events of a running plan, shown by the reporters and written to GitHub job summaries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from todo_release.errors import ReleaseError
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import Step


@dataclass(frozen=True, slots=True)
class PlanStarted:
    """The run begins.

    `interrupted` are the steps in which an earlier run was interrupted, `expected_seconds` earlier durations
    by step id.
    """

    plan: Plan
    interrupted: tuple[str, ...]
    expected_seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step begins."""

    step: Step


@dataclass(frozen=True, slots=True)
class StepProgressed:
    """A running step wrote a line of output or, with `is_note`, a short note on its progress."""

    step: Step
    text: str
    is_note: bool


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step is done; `was_done` is true when its check showed that already and nothing was changed."""

    step: Step
    was_done: bool
    seconds: float
    outcome: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step failed, and the run ends here."""

    step: Step
    seconds: float
    error: ReleaseError


@dataclass(frozen=True, slots=True)
class PlanEnded:
    """All steps are done."""

    plan: Plan
    seconds: float


RunEvent = PlanStarted | StepStarted | StepProgressed | StepEnded | StepFailed | PlanEnded
Listener = Callable[[RunEvent], None]
