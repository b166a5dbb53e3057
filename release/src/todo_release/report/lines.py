"""Plain lines: for logs, CI and terminals that cannot redraw."""

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
    StepSpoke,
    StepStarted,
)
from todo_release.pipeline.plan import Plan
from todo_release.report.text import DONE, REFUSED, TO_DO, error_lines, plan_lines, verdict

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection


class LineReporter:
    """Writes every event as a line; output of programs is indented under its step."""

    def __init__(self, stream: TextIO, *, can_ask: bool) -> None:
        """`can_ask` says that a person reads `stream` and can answer."""
        self._stream = stream
        self._can_ask = can_ask

    def plan(self, plan: Plan) -> None:
        """The plan's lines."""
        for line in plan_lines(plan):
            self._write(line)

    def say(self, text: str) -> None:
        """The text."""
        self._write(text)

    def show(self, table: Table) -> None:
        """The table's lines."""
        for line in table.lines():
            self._write(line)

    def inspection(self, found: "Inspection") -> None:
        """The findings' lines."""
        from todo_release.preflight.listing import lines

        for line in lines(found):
            self._write(line)

    def __call__(self, event: RunEvent) -> None:
        """One line an event."""
        match event:
            case PlanStarted(plan, interrupted, _):
                for finding in plan.findings:
                    self._write(f"{DONE} {finding}")
                if interrupted:
                    self._write(
                        f"{TO_DO} an earlier run was cut off in {', '.join(interrupted)}; going on from there"
                    )
                if plan.is_finished:
                    self._write(f"{DONE} {verdict(plan)}")
            case StepStarted(step):
                self._write(f"{TO_DO} {step.title}: {step.reason}")
            case StepSpoke(_, text, _):
                self._write(f"    {text}")
            case StepEnded(step, was_done, seconds, _) if step.is_done or was_done:
                self._write(f"{DONE} {step.title}: {step.reason if step.is_done else 'was done already'}")
            case StepEnded(step, _, seconds, _):
                self._write(f"{DONE} {step.title} ({duration(seconds)})")
            case StepFailed(step, seconds, _):
                self._write(f"{REFUSED} {step.title} ({duration(seconds)})")
            case PlanEnded(plan, seconds) if not plan.is_finished:
                self._write(f"{DONE} {plan.version}: all done in {duration(seconds)}")

    def failed(self, error: ReleaseError) -> None:
        """The error's lines."""
        for line in error_lines(error):
            self._write(line)

    def ask(self, question: str) -> bool:
        """Ask on the terminal; only `y` and `yes` agree."""
        if not self._can_ask:
            return False
        self._stream.write(f"{question} [y/N] ")
        self._stream.flush()
        return input().strip().lower() in {"y", "yes"}

    def close(self) -> None:
        """Nothing was changed."""

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()
