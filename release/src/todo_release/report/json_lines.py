"""JSON for programs: one object a line, each with an `event`; a plan that is not run is one object."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

from todo_release.core.tables import Table
from todo_release.errors import ReleaseError
from todo_release.pipeline.events import (
    PlanEnded,
    PlanStarted,
    RunEvent,
    StepEnded,
    StepFailed,
    StepSpoke,
    StepStarted,
)
from todo_release.pipeline.plan import Plan

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection


class JsonReporter:
    """Writes events and errors as lines of JSON."""

    def __init__(self, stream: TextIO) -> None:
        """Nothing but JSON goes to `stream`."""
        self._stream = stream

    def plan(self, plan: Plan) -> None:
        """The whole plan."""
        self._write("plan", plan.as_json())

    def say(self, text: str) -> None:
        """The text in an object."""
        self._write("said", {"text": text})

    def show(self, table: Table) -> None:
        """The rows as mappings."""
        self._write("table", table.as_json())

    def inspection(self, found: "Inspection") -> None:
        """All findings and the nodes."""
        self._write("preflight", found.as_json())

    def __call__(self, event: RunEvent) -> None:
        """One object an event."""
        match event:
            case PlanStarted(plan, interrupted, expected):
                more = {"interrupted": list(interrupted), "expected_seconds": dict(expected)}
                self._write("plan-started", plan.as_json() | more)
            case StepStarted(step):
                self._write("step-started", {"step": step.id})
            case StepSpoke(step, text, is_note):
                self._write("step-spoke", {"step": step.id, "text": text, "is_note": is_note})
            case StepEnded(step, was_done, seconds, outcome):
                ended = {"was_done": was_done, "seconds": round(seconds, 3), "outcome": dict(outcome)}
                self._write("step-ended", {"step": step.id} | ended)
            case StepFailed(step, seconds, error):
                self._write(
                    "step-failed", {"step": step.id, "seconds": round(seconds, 3), "problem": error.problem}
                )
            case PlanEnded(plan, seconds):
                self._write("plan-ended", {"version": plan.version, "seconds": round(seconds, 3)})

    def failed(self, error: ReleaseError) -> None:
        """The error with its remedy and exit code; `evidence` is a folder, null when none was kept."""
        self._write(
            "failed",
            {
                "kind": type(error).__name__,
                "problem": error.problem,
                "remedy": error.remedy,
                "notes": list(getattr(error, "__notes__", ())),
                "evidence": error.evidence,
                "exit_code": error.code,
            },
        )

    def ask(self, question: str) -> bool:
        """A program cannot agree; it says `--yes` beforehand."""
        self._write("asked", {"question": question, "answer": False})
        return False

    def close(self) -> None:
        """Nothing is open."""

    def _write(self, event: str, body: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps({"event": event, **body}) + "\n")
        self._stream.flush()
