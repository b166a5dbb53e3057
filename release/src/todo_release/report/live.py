"""Shows a run as a live table on a terminal: every step with its state, its duration and its progress."""

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
    StepProgressed,
    StepStarted,
)
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import Step
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

STYLES = {DONE: "green", TO_DO: "dim", REFUSED: "bold red"}
KEPT_LINES = 20


class LiveReporter:
    """Redraws the steps of a plan in place; shows the output of a step only when the step fails."""

    def __init__(self, *, has_color: bool) -> None:
        """Draws nothing before the first event."""
        self._console = Console(no_color=not has_color, highlight=False)
        self._display: Display | None = None
        self._steps: tuple[Step, ...] = ()
        self._ended: dict[str, tuple[str, str, str]] = {}
        self._began: dict[str, float] = {}
        self._notes: dict[str, str] = {}
        self._last_lines: dict[str, deque[str]] = {}
        self._failed: str | None = None
        self._expected: Mapping[str, float] = {}
        self._spinner = Spinner("dots")

    def show_plan(self, plan: Plan) -> None:
        """Prints the lines of the plan in colour."""
        for line in plan_lines(plan):
            self._print_marked(line)

    def show_text(self, text: str) -> None:
        """Prints the text without colours and without line breaks."""
        self._console.print(Text(text), soft_wrap=True)

    def show_table(self, table: Table) -> None:
        """Draws a table that is as wide as the terminal allows."""
        grid = Grid(title=table.title, title_justify="left", box=SIMPLE_HEAD)
        for column in table.columns:
            grid.add_column(column, overflow="fold")
        for row in table.rows:
            grid.add_row(*(Text(cell) for cell in row))
        self._console.print(grid)

    def show_inspection(self, inspection: "Inspection") -> None:
        """Prints the findings in colour, the nodes and a summary."""
        for line in listing.lines(inspection):
            self._print_marked(line, soft_wrap=True)

    def __call__(self, event: RunEvent) -> None:
        """Updates what is drawn."""
        match event:
            case PlanStarted(plan, interrupted, expected):
                self._begin(plan, interrupted, expected)
            case StepStarted(step):
                self._began[step.id] = time.monotonic()
                self._last_lines[step.id] = deque(maxlen=KEPT_LINES)
            case StepProgressed(step, text, is_note):
                self._last_lines[step.id].append(text)
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
                self._console.print(Text(completion_line(plan, seconds), style="bold green"))

    def show_error(self, error: ReleaseError) -> None:
        """Prints the last output of the step that failed, then the error."""
        self.close()
        for line in self._last_lines.get(self._failed or "", ()):
            self._console.print(Text(f"    {line}", style="dim"))
        for line in error_lines(error):
            self._print_marked(line)

    def ask(self, question: str) -> bool:
        """Stops drawing, asks, and draws again; only `y` and `yes` agree."""
        if self._display:
            self._display.stop()
        answer = self._console.input(f"[bold]{question}[/bold] \\[y/N] ")
        if self._display:
            self._display.start()
        return answer.strip().lower() in {"y", "yes"}

    def close(self) -> None:
        """Leaves the last table on the screen and shows the cursor again."""
        if self._display:
            self._display.stop()
            self._display = None

    def __rich__(self) -> RenderableType:
        """Returns the table as it is now; rich calls this several times a second."""
        grid = Grid.grid(padding=(0, 1))
        for step in self._steps:
            grid.add_row(*self._row(step))
        return Group(grid)

    def _begin(self, plan: Plan, interrupted: tuple[str, ...], expected: Mapping[str, float]) -> None:
        for line in opening_lines(plan, interrupted):
            self._print_marked(line)
        self._steps, self._expected = plan.steps, expected
        self._display = Display(self, console=self._console, refresh_per_second=8)
        self._display.start()

    def _row(self, step: Step) -> tuple[RenderableType, ...]:
        if step.id in self._began and step.id not in self._ended:
            elapsed = duration(time.monotonic() - self._began[step.id])
            expected = self._expected.get(step.id)
            return (
                self._spinner,
                Text(step.title, style="bold"),
                Text(f"{elapsed} of ~{duration(expected)}" if expected else elapsed),
                Text(self._notes.get(step.id, step.reason)),
            )
        mark, took, text = self._ended.get(step.id, (TO_DO, "", step.reason))
        return Text(mark, style=STYLES[mark]), Text(step.title), Text(took), Text(text, style="dim")

    def _print_marked(self, line: str, *, soft_wrap: bool = False) -> None:
        self._console.print(Text(line, style=STYLES.get(line[:1], "")), soft_wrap=soft_wrap)
