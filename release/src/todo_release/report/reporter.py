"""What every reporter can do, and the choice of one."""

import io
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Protocol

from todo_release.core.tables import Table
from todo_release.errors import ReleaseError
from todo_release.pipeline.events import RunEvent
from todo_release.pipeline.plan import Plan
from todo_release.report.action_log import ActionLogReporter
from todo_release.report.json_lines import JsonReporter
from todo_release.report.lines import LineReporter

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection

Output = Literal["auto", "live", "lines", "json"]


class Reporter(Protocol):
    """Shows what a command finds and does, and asks questions."""

    def show_plan(self, plan: Plan) -> None:
        """Shows a plan that will not run."""

    def show_text(self, text: str) -> None:
        """Shows a bare text, which scripts may read."""

    def show_table(self, table: Table) -> None:
        """Shows the answer to a question."""

    def show_inspection(self, inspection: "Inspection") -> None:
        """Shows what preflight found in an environment."""

    def __call__(self, event: RunEvent) -> None:
        """Shows an event of a run; called from several threads, one at a time."""

    def show_error(self, error: ReleaseError) -> None:
        """Shows why a command ended."""

    def ask(self, question: str) -> bool:
        """Asks a yes-or-no question; returns False when there is nobody to ask."""

    def close(self) -> None:
        """Restores the terminal."""


def choose_reporter(output: Output, environ: Mapping[str, str]) -> Reporter:
    """Returns the reporter for an output.

    `auto` is live on a terminal, and lines in CI and where the output is not a terminal. In GitHub Actions
    the lines of a step are a group. NO_COLOR removes the colours. Characters that the output cannot show are
    written as escapes, because names and answers of other programs may hold any.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if output == "json":
        return JsonReporter(sys.stdout)
    is_live = sys.stdout.isatty() and not environ.get("CI") and environ.get("TERM") != "dumb"
    if output == "live" or (output == "auto" and is_live):
        # Here, because it loads rich: 100 ms that CI and pipes need not wait for.
        from todo_release.report.live import LiveReporter

        return LiveReporter(has_color=not environ.get("NO_COLOR"))
    if environ.get("GITHUB_ACTIONS"):
        return ActionLogReporter(sys.stdout)
    return LineReporter(sys.stdout, can_ask=sys.stdin.isatty())
