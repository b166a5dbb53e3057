"""Shows a command as plain lines: for logs, CI and terminals that cannot redraw."""

from typing import TYPE_CHECKING, TextIO

from todo_release.core.formatting import duration
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
from todo_release.preflight import listing
from todo_release.report.text import (
    DONE,
    REFUSED,
    TO_DO,
    completion_line,
    error_lines,
    opening_lines,
    plan_lines,
)

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection


class LineReporter:
    """Writes every event as a line; output of programs is indented under its step."""

    def __init__(self, stream: TextIO, *, can_ask: bool) -> None:
        """Writes to `stream`; `can_ask` says that a person reads it and can answer."""
        self._stream = stream
        self._can_ask = can_ask

    def show_plan(self, plan: Plan) -> None:
        """Writes the lines of the plan."""
        for line in plan_lines(plan):
            self._write(line)

    def show_text(self, text: str) -> None:
        """Writes the text."""
        self._write(text)

    def show_table(self, table: Table) -> None:
        """Writes the table as aligned text."""
        for line in table.lines():
            self._write(line)

    def show_inspection(self, inspection: "Inspection") -> None:
        """Writes the findings, the nodes and a summary."""
        for line in listing.lines(inspection):
            self._write(line)

    def __call__(self, event: RunEvent) -> None:
        """Writes one line for each event."""
        match event:
            case PlanStarted(plan, interrupted, _):
                for line in opening_lines(plan, interrupted):
                    self._write(line)
                if plan.is_finished:
                    self._write(completion_line(plan, seconds=0))
            case StepStarted(step):
                self._write(f"{TO_DO} {step.title}: {step.reason}")
            case StepProgressed(step, text, _) if step.wave is not None:
                self._write(f"    {step.title}: {text}")  # other steps write between its lines
            case StepProgressed(_, text, _):
                self._write(f"    {text}")
            case StepEnded(step, was_done, seconds, _) if step.is_done or was_done:
                self._write(f"{DONE} {step.title}: {step.reason if step.is_done else 'was done already'}")
            case StepEnded(step, _, seconds, _):
                self._write(f"{DONE} {step.title} ({duration(seconds)})")
            case StepFailed(step, seconds, _):
                self._write(f"{REFUSED} {step.title} ({duration(seconds)})")
            case PlanEnded(plan, seconds) if not plan.is_finished:
                self._write(completion_line(plan, seconds))

    def show_error(self, error: ReleaseError) -> None:
        """Writes the lines of the error."""
        for line in error_lines(error):
            self._write(line)

    def ask(self, question: str) -> bool:
        """Asks on the terminal; only `y` and `yes` agree."""
        if not self._can_ask:
            return False
        self._stream.write(f"{question} [y/N] ")
        self._stream.flush()
        return input().strip().lower() in {"y", "yes"}

    def close(self) -> None:
        """Does nothing: the terminal was not changed."""

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()
