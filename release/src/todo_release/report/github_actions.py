"""What GitHub Actions shows of a run: a job summary with one table, and annotations at the lines at fault."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from todo_release.core.formatting import duration
from todo_release.core.yaml_positions import Place
from todo_release.errors import ConfigError, ReleaseError
from todo_release.pipeline.events import PlanStarted, RunEvent, StepEnded, StepFailed
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import Step
from todo_release.preflight.errors import PreflightError
from todo_release.preflight.finding import Finding, Severity
from todo_release.report import markdown
from todo_release.report.markdown import cell

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


class Summary:
    """Listens to a run and writes it down as Markdown."""

    def __init__(self, path: Path) -> None:
        """`path` is the file that $GITHUB_STEP_SUMMARY names; it is appended to."""
        self._path = path
        self._plan: Plan | None = None
        self._ended: dict[str, StepEnded | StepFailed] = {}

    def __call__(self, event: RunEvent) -> None:
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
            lines += [f"### :x: {cell(error.problem)}", "", cell(error.remedy), ""]
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
                told = (outcome.get("digest"), getattr(step, "digest", None), outcome.get("revision"))
                result = str(next(filter(None, (*told, outcome.get("verdict"))), ""))
                return (
                    f"| :white_check_mark: | {step.title} | {cell(step.reason)} | {took} | {_code(result)} |"
                )
            case StepFailed(_, seconds, error):
                why, took, result = cell(step.reason), duration(seconds), cell(error.problem)
                return f"| :x: | {step.title} | {why} | {took} | {result} |"
            case _:
                return f"| | {step.title} | {cell(step.reason)} | | not reached |"


def annotate(error: ReleaseError, stream: TextIO) -> None:
    """Write workflow commands that GitHub shows beside the files, or on top of the run when there is no
    file.
    """
    if isinstance(error, PreflightError):
        stream.writelines(f"{one}\n" for one in annotations(error.findings))
        return
    place = None
    if isinstance(error, ConfigError) and error.file:
        place = Place(error.file, error.line or 1, error.column or 1)
    stream.write(f"{command('error', str(error), place)}\n")


def command(kind: str, text: str, place: Place | None = None) -> str:
    """One workflow command: `::error file=...,line=...,col=...::text`."""
    where = f" file={place.file},line={place.line},col={place.column}" if place else ""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{kind}{where}::{escaped}"


def run_url(environ: Mapping[str, str]) -> str | None:
    """Address of the workflow run, None outside of GitHub Actions."""
    try:
        repository = f"{environ['GITHUB_SERVER_URL']}/{environ['GITHUB_REPOSITORY']}"
        return f"{repository}/actions/runs/{environ['GITHUB_RUN_ID']}"
    except KeyError:
        return None


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def annotations(findings: Iterable[Finding]) -> Iterator[str]:
    """Workflow commands that GitHub shows at the lines at fault."""
    for one in findings:
        yield command(COMMANDS[one.severity], f"{one.subject}: {one.cause} {one.remedy}", one.place)


def publish(found: "Inspection", environ: Mapping[str, str], stream: TextIO) -> None:
    """In a workflow, add to the job's summary and annotate the change."""
    if path := environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown.of_inspection(found))
    if environ.get("GITHUB_ACTIONS"):
        stream.writelines(f"{one}\n" for one in annotations(found.findings))
