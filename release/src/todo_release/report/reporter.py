"""What every way of showing can do, and the choice of one."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Protocol

from todo_release.core.tables import Table
from todo_release.errors import ReleaseError
from todo_release.pipeline.events import RunEvent
from todo_release.pipeline.plan import Plan

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection

Output = Literal["auto", "live", "lines", "json"]


class Reporter(Protocol):
    """Shows plans, events and errors, and asks questions."""

    def plan(self, plan: Plan) -> None:
        """Show a plan that will not be run."""

    def say(self, text: str) -> None:
        """Show a bare text, which scripts may read."""

    def show(self, table: Table) -> None:
        """Show an answer."""

    def inspection(self, found: "Inspection") -> None:
        """Show what was found in an environment before a release."""

    def __call__(self, event: RunEvent) -> None:
        """Show an event of a run; called from several threads, one at a time."""

    def failed(self, error: ReleaseError) -> None:
        """Show why a command ended."""

    def ask(self, question: str) -> bool:
        """Ask a yes-or-no question; False when nobody can be asked."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def choose(output: Output, environ: Mapping[str, str]) -> Reporter:
    """The reporter for an output; `auto` is live on a terminal and lines elsewhere (also in CI and with
    NO_COLOR).
    """
    from todo_release.report.lines import LineReporter

    if output == "json":
        from todo_release.report.json_lines import JsonReporter

        return JsonReporter(sys.stdout)
    is_live = sys.stdout.isatty() and not environ.get("CI") and environ.get("TERM") != "dumb"
    if output == "live" or (output == "auto" and is_live):
        from todo_release.report.live import LiveReporter

        return LiveReporter(has_color=not environ.get("NO_COLOR"))
    return LineReporter(sys.stdout, can_ask=sys.stdin.isatty())
