"""What GitHub Actions shows of a run: a job summary with one table, and annotations at the lines at fault."""

from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from todo_release.errors import ConfigError, ReleaseError
from todo_release.events import Event, PlanStarted, StepEnded, StepFailed
from todo_release.plan import Plan
from todo_release.report.text import duration
from todo_release.steps import Step


class Summary:
    """Listens to a run and writes it down as Markdown."""

    def __init__(self, path: Path) -> None:
        """`path` is the file that $GITHUB_STEP_SUMMARY names; it is appended to."""
        self._path = path
        self._plan: Plan | None = None
        self._ended: dict[str, StepEnded | StepFailed] = {}

    def __call__(self, event: Event) -> None:
        """Keep what the table needs."""
        match event:
            case PlanStarted(plan, _, _):
                self._plan = plan
            case StepEnded(step, _, _, _) | StepFailed(step, _, _):
                self._ended[step.id] = event

    def write(self, error: ReleaseError | None) -> None:
        """Append the summary; the cause of a failure comes first."""
        lines = []
        if error is not None:
            lines += [f"### :x: {_cell(error.problem)}", "", _cell(error.remedy), ""]
            if error.evidence:
                lines += [f"Evidence: `{error.evidence}`", ""]
        if self._plan is not None:
            lines += [
                f"### {self._plan.version}" if error else f"### :white_check_mark: {self._plan.version}",
                "",
            ]
            lines += ["| | step | why | time | result |", "|---|---|---|---|---|"]
            lines += [self._row(step) for step in self._plan.steps]
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def _row(self, step: Step) -> str:
        match self._ended.get(step.id):
            case StepEnded(_, was_done, seconds, outcome):
                took = "" if was_done else duration(seconds)
                result = str(
                    outcome.get("digest") or getattr(step, "digest", None) or outcome.get("revision") or ""
                )
                return (
                    f"| :white_check_mark: | {step.title} | {_cell(step.reason)} | {took} | {_code(result)} |"
                )
            case StepFailed(_, seconds, error):
                why, took, result = _cell(step.reason), duration(seconds), _cell(error.problem)
                return f"| :x: | {step.title} | {why} | {took} | {result} |"
            case _:
                return f"| | {step.title} | {_cell(step.reason)} | | not reached |"


def annotate(error: ReleaseError, stream: TextIO) -> None:
    """Write a workflow command that GitHub shows beside the file, or on top of the run when there is no
    file.
    """
    place = ""
    if isinstance(error, ConfigError) and error.file:
        numbers = {"file": error.file, "line": error.line, "col": error.column}
        place = " " + ",".join(f"{key}={value}" for key, value in numbers.items() if value is not None)
    stream.write(f"::error{place}::{_escaped(str(error))}\n")


def run_url(environ: Mapping[str, str]) -> str | None:
    """Address of the workflow run, None outside of GitHub Actions."""
    try:
        repository = f"{environ['GITHUB_SERVER_URL']}/{environ['GITHUB_REPOSITORY']}"
        return f"{repository}/actions/runs/{environ['GITHUB_RUN_ID']}"
    except KeyError:
        return None


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
