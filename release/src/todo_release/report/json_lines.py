"""Shows a command as JSON for programs: one object a line, each with its kind in `event`."""

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
    StepProgressed,
    StepStarted,
)
from todo_release.pipeline.plan import Plan

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection


class JsonReporter:
    """Writes plans, events, answers and errors as lines of JSON."""

    def __init__(self, stream: TextIO) -> None:
        """Writes nothing but JSON to `stream`."""
        self._stream = stream

    def show_plan(self, plan: Plan) -> None:
        """Writes the whole plan."""
        self._write("plan", plan.as_json())

    def show_text(self, text: str) -> None:
        """Writes the text in an object."""
        self._write("text", {"text": text})

    def show_table(self, table: Table) -> None:
        """Writes the rows as mappings."""
        self._write("table", table.as_json())

    def show_inspection(self, inspection: "Inspection") -> None:
        """Writes all findings and the nodes."""
        self._write("preflight", inspection.as_json())

    def __call__(self, event: RunEvent) -> None:
        """Writes one object for each event."""
        match event:
            case PlanStarted(plan, interrupted, expected):
                more = {"interrupted": list(interrupted), "expected_seconds": dict(expected)}
                self._write("plan-started", plan.as_json() | more)
            case StepStarted(step):
                self._write("step-started", {"step": step.id})
            case StepProgressed(step, text, is_note):
                self._write("step-progressed", {"step": step.id, "text": text, "is_note": is_note})
            case StepEnded(step, was_done, seconds, outcome):
                ended = {"was_done": was_done, "seconds": round(seconds, 3), "outcome": dict(outcome)}
                self._write("step-ended", {"step": step.id} | ended)
            case StepFailed(step, seconds, error):
                self._write(
                    "step-failed", {"step": step.id, "seconds": round(seconds, 3), "problem": error.problem}
                )
            case PlanEnded(plan, seconds):
                self._write("plan-ended", {"version": plan.version, "seconds": round(seconds, 3)})

    def show_error(self, error: ReleaseError) -> None:
        """Writes the error with its remedy and exit code; `evidence` is a folder, or null."""
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
        """Writes the question and returns False: a program agrees beforehand, with `--yes`."""
        self._write("asked", {"question": question, "answer": False})
        return False

    def close(self) -> None:
        """Does nothing: nothing is open."""

    def _write(self, event: str, body: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps({"event": event, **body}) + "\n")
        self._stream.flush()
