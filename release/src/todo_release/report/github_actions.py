"""Writes what GitHub Actions shows of a run: a job summary, and annotations at the lines at fault."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from todo_release.core.formatting import duration
from todo_release.core.tables import Table
from todo_release.core.yaml_positions import Place
from todo_release.errors import ConfigError, ReleaseError
from todo_release.pipeline.events import PlanStarted, RunEvent, StepEnded, StepFailed, StepStarted
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import Step
from todo_release.preflight.errors import PreflightError
from todo_release.preflight.finding import Finding, Severity
from todo_release.report import markdown
from todo_release.report.text import REFUSED

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


class JobSummary:
    """Listens to a run and writes it as Markdown."""

    def __init__(self, path: Path) -> None:
        """Appends to `path`, the file that $GITHUB_STEP_SUMMARY names."""
        self._path = path
        self._plan: Plan | None = None
        self._last: dict[str, StepStarted | StepEnded | StepFailed] = {}

    def __call__(self, event: RunEvent) -> None:
        """Keeps the plan and the last event of each step."""
        match event:
            case PlanStarted(plan, _, _):
                self._plan = plan
            case StepStarted(step) | StepEnded(step, _, _, _) | StepFailed(step, _, _):
                self._last[step.id] = event

    def write(self, error: ReleaseError | None, interrupted: Sequence[str] = ()) -> None:
        """Appends the summary; the cause of a failure, or the lines of an interruption, come first."""
        parts = []
        if interrupted:
            heading, *lines = (line.removeprefix(REFUSED).strip() for line in interrupted)
            parts.append(f"### {markdown.FAILED} {markdown.cell(heading)}")
            parts.append("\n".join(f"- {markdown.cell(line)}" for line in lines))
        if error is not None:
            parts += [f"### {markdown.FAILED} {markdown.cell(error.problem)}", markdown.cell(error.remedy)]
            if error.evidence:
                parts.append(f"Evidence: {markdown.code(error.evidence)}")
        if self._plan is not None:
            mark = "" if error or interrupted else f"{markdown.DONE} "
            parts.append(f"### {mark}{self._plan.version}")
            rows = tuple(self._row(step) for step in self._plan.steps)
            parts.append(markdown.table_rows(Table("Steps", ("", "step", "why", "time", "result"), rows)))
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n\n".join(parts) + "\n")

    def _row(self, step: Step) -> tuple[str, ...]:
        match self._last.get(step.id):
            case StepEnded(_, was_done, seconds, outcome):
                results = (
                    outcome.get("digest"),
                    getattr(step, "digest", None),
                    outcome.get("revision"),
                    outcome.get("verdict"),
                )
                result = str(next(filter(None, results), ""))
                took = "" if was_done else duration(seconds)
                return (markdown.DONE, step.title, step.reason, took, markdown.code(result))
            case StepFailed(_, seconds, error):
                return (markdown.FAILED, step.title, step.reason, duration(seconds), error.problem)
            case StepStarted():
                return (markdown.FAILED, step.title, step.reason, "", "interrupted")
            case _:
                return ("", step.title, step.reason, "", "not reached")


def publish_plan(plan: Plan, environ: Mapping[str, str]) -> None:
    """Adds a plan that does not run to the job summary, with every change that it shows."""
    if path := environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown.plan_section(plan))


def publish_inspection(inspection: "Inspection", environ: Mapping[str, str], stream: TextIO) -> None:
    """Adds an inspection to the job summary and annotates its findings, if this is a workflow."""
    if path := environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown.inspection_section(inspection))
    if environ.get("GITHUB_ACTIONS"):
        stream.writelines(f"{command}\n" for command in finding_commands(inspection.findings))


def annotate_error(error: ReleaseError, stream: TextIO) -> None:
    """Writes workflow commands that GitHub shows beside the files, or above the run if there is no file."""
    if isinstance(error, PreflightError):
        stream.writelines(f"{command}\n" for command in finding_commands(error.findings))
        return
    place = None
    if isinstance(error, ConfigError) and error.file:
        place = Place(error.file, error.line or 1, error.column or 1)
    stream.write(f"{workflow_command('error', str(error), place)}\n")


def finding_commands(findings: Iterable[Finding]) -> Iterator[str]:
    """Yields a workflow command for each finding, which GitHub shows at the line at fault."""
    for finding in findings:
        text = f"{finding.subject}: {finding.cause} {finding.remedy}"
        yield workflow_command(COMMANDS[finding.severity], text, finding.place)


def workflow_command(kind: str, text: str, place: Place | None = None) -> str:
    """Returns one workflow command: `::error file=...,line=...,col=...::text`."""
    where = f" file={place.file},line={place.line},col={place.column}" if place else ""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{kind}{where}::{escaped}"


def run_url(environ: Mapping[str, str]) -> str | None:
    """Returns the URL of the workflow run, None outside of GitHub Actions."""
    try:
        repository = f"{environ['GITHUB_SERVER_URL']}/{environ['GITHUB_REPOSITORY']}"
        return f"{repository}/actions/runs/{environ['GITHUB_RUN_ID']}"
    except KeyError:
        return None
