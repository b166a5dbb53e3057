"""A live table on a terminal: every step with its state, its time beside the expected one, and what it is
doing.
"""

import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live as Display
from rich.spinner import Spinner
from rich.table import Table as Grid
from rich.text import Text

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
from todo_release.pipeline.steps import Step
from todo_release.report.text import DONE, REFUSED, TO_DO, error_lines, plan_lines, verdict

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection

STYLES = {DONE: "green", TO_DO: "dim", REFUSED: "bold red"}
TAIL = 20


class LiveReporter:
    """Redraws the plan's steps in place; output of a step is kept back and shown only when the step fails."""

    def __init__(self, *, has_color: bool) -> None:
        """Nothing is drawn before the first event."""
        self._console = Console(no_color=not has_color, highlight=False)
        self._display: Display | None = None
        self._steps: tuple[Step, ...] = ()
        self._ended: dict[str, tuple[str, str, str]] = {}
        self._began: dict[str, float] = {}
        self._notes: dict[str, str] = {}
        self._tails: dict[str, deque[str]] = {}
        self._failed: str | None = None
        self._expected: Mapping[str, float] = {}
        self._spinner = Spinner("dots")

    def plan(self, plan: Plan) -> None:
        """The plan's lines, coloured."""
        for line in plan_lines(plan):
            self._console.print(Text(line, style=STYLES.get(line[:1], "")))

    def say(self, text: str) -> None:
        """The text, without colours and never broken."""
        self._console.print(Text(text), soft_wrap=True)

    def show(self, table: Table) -> None:
        """A table as wide as the terminal allows."""
        drawn = Grid(title=table.title, title_justify="left", box=SIMPLE_HEAD)
        for column in table.columns:
            drawn.add_column(column, overflow="fold")
        for row in table.rows:
            drawn.add_row(*(Text(cell) for cell in row))
        self._console.print(drawn)

    def inspection(self, found: "Inspection") -> None:
        """The findings' lines, coloured, and the nodes as a table."""
        from todo_release.preflight.listing import lines

        for line in lines(found):
            self._console.print(Text(line, style=STYLES.get(line[:1], "")), soft_wrap=True)

    def __call__(self, event: RunEvent) -> None:
        """Take an event into the picture."""
        match event:
            case PlanStarted(plan, interrupted, expected):
                self._begin(plan, interrupted, expected)
            case StepStarted(step):
                self._began[step.id] = time.monotonic()
                self._tails[step.id] = deque(maxlen=TAIL)
            case StepSpoke(step, text, is_note):
                self._tails[step.id].append(text)
                if is_note:
                    self._notes[step.id] = text
            case StepEnded(step, _, seconds, _):
                took = "" if step.is_done else duration(seconds)
                self._ended[step.id] = (DONE, took, self._notes.get(step.id, step.reason))
            case StepFailed(step, seconds, error):
                self._ended[step.id] = (REFUSED, duration(seconds), error.problem)
                self._failed = step.id
            case PlanEnded(plan, seconds):
                self.close()
                done = (
                    verdict(plan) if plan.is_finished else f"{plan.version}: all done in {duration(seconds)}"
                )
                self._console.print(Text(f"{DONE} {done}", style="bold green"))

    def failed(self, error: ReleaseError) -> None:
        """What the step printed last, then the error."""
        self.close()
        for line in self._tails.get(self._failed or "", ()):
            self._console.print(Text(f"    {line}", style="dim"))
        first, *rest = error_lines(error)
        self._console.print(Text(first, style=STYLES[REFUSED]))
        for line in rest:
            self._console.print(Text(line))

    def ask(self, question: str) -> bool:
        """Stop drawing, ask, draw on; only `y` and `yes` agree."""
        if self._display:
            self._display.stop()
        answer = self._console.input(f"[bold]{question}[/bold] \\[y/N] ")
        if self._display:
            self._display.start()
        return answer.strip().lower() in {"y", "yes"}

    def close(self) -> None:
        """Leave the last picture standing and give the cursor back."""
        if self._display:
            self._display.stop()
            self._display = None

    def __rich__(self) -> RenderableType:
        """The picture now; rich asks for it several times a second."""
        table = Grid.grid(padding=(0, 1))
        for step in self._steps:
            table.add_row(*self._row(step))
        return Group(table)

    def _begin(self, plan: Plan, interrupted: tuple[str, ...], expected: Mapping[str, float]) -> None:
        for finding in plan.findings:
            self._console.print(Text(f"{DONE} {finding}", style=STYLES[DONE]))
        if interrupted:
            self._console.print(
                f"{TO_DO} an earlier run was cut off in {', '.join(interrupted)}; going on from there"
            )
        self._steps, self._expected = plan.steps, expected
        self._display = Display(self, console=self._console, refresh_per_second=8)
        self._display.start()

    def _row(self, step: Step) -> tuple[RenderableType, ...]:
        if step.id in self._began and step.id not in self._ended:
            elapsed = duration(time.monotonic() - self._began[step.id])
            expected = self._expected.get(step.id)
            beside = f"{elapsed} of ~{duration(expected)}" if expected else elapsed
            return (
                self._spinner,
                Text(step.title, style="bold"),
                Text(beside),
                Text(self._notes.get(step.id, step.reason)),
            )
        mark, took, text = self._ended.get(step.id, (TO_DO, "", step.reason))
        return Text(mark, style=STYLES[mark]), Text(step.title), Text(took), Text(text, style="dim")
