"""Shows what was found before a release: lines for people, Markdown and annotations for GitHub."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from todo_release.preflight.finding import Finding, Severity
from todo_release.report.github_actions import cell, command

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection

MARKS = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.NOTE: "•"}
ICONS = {Severity.ERROR: ":x:", Severity.WARNING: ":warning:", Severity.NOTE: ":information_source:"}
NAMED = 3  # objects that are named of many alike; JSON and Markdown have them all
COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def lines(found: "Inspection") -> Iterator[str]:
    """Every finding with its remedy, the worst first and what is alike once; then nodes and verdict."""
    for severity in Severity:
        for first, *others in _alike(found.of(severity)):
            yield f"{MARKS[severity]} {line(first)}"
            if others:
                count, subjects = len(others), sorted({one.subject for one in others})
                more = f", and {len(subjects) - NAMED} more" if len(subjects) > NAMED else ""
                places = f"{count} other place{'' if count == 1 else 's'}"
                yield f"  The same at {places}: {', '.join(subjects[:NAMED])}{more}."
            yield f"  {first.remedy} See {first.runbook}."
    if found.nodes is not None:
        yield from found.nodes.lines()
    yield found.verdict


def _alike(findings: Iterable[Finding]) -> Iterable[list[Finding]]:
    """The findings in their order, those together that say the same of different places."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for one in findings:
        groups.setdefault((one.check, one.cause, one.remedy), []).append(one)
    return groups.values()


def line(finding: Finding) -> str:
    """`capacity: Deployment/web spec.template…: It needs 350m. (chart/values.yaml:12)`."""
    where = f" {finding.path}" if finding.path else ""
    place = f" ({finding.place.file}:{finding.place.line})" if finding.place else ""
    return f"{finding.check}: {finding.subject}{where}: {finding.cause}{place}"


def markdown(found: "Inspection") -> str:
    """A section of a job summary: the verdict, a table of findings, a table of nodes."""
    icon = ICONS[Severity.ERROR] if found.errors else ":white_check_mark:"
    rows = [f"### {icon} Preflight of {found.verdict}", ""]
    if found.findings:
        rows += ["| | check | object | cause | remedy |", "|---|---|---|---|---|"]
        rows += [
            f"| {ICONS[one.severity]} | [{one.check}]({one.runbook}) | "
            f"{cell(one.subject)}<br>{_code(one.path)} "
            f"| {cell(one.cause)}{_at(one)} | {cell(one.remedy)} |"
            for one in found.findings
        ]
        rows.append("")
    if found.nodes is not None:
        columns = found.nodes.columns
        rows += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        rows += [f"| {' | '.join(row)} |" for row in found.nodes.rows]
        rows.append("")
    return "\n".join(rows) + "\n"


def annotations(findings: Iterable[Finding]) -> Iterator[str]:
    """Workflow commands that GitHub shows at the lines at fault."""
    for one in findings:
        yield command(COMMANDS[one.severity], f"{one.subject}: {one.cause} {one.remedy}", one.place)


def publish(found: "Inspection", environ: Mapping[str, str], stream: TextIO) -> None:
    """In a workflow, add to the job's summary and annotate the change."""
    if path := environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown(found))
    if environ.get("GITHUB_ACTIONS"):
        stream.writelines(f"{one}\n" for one in annotations(found.findings))


def _at(finding: Finding) -> str:
    return f"<br>`{finding.place.file}:{finding.place.line}`" if finding.place else ""


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
