"""Findings as lines of text."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from todo_release.preflight.finding import Finding, Severity

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection

MARKS = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.NOTE: "•"}
MAX_NAMED = 3  # objects named for equal findings; JSON and Markdown name all


def lines(inspection: "Inspection") -> Iterator[str]:
    """Yields every finding with its remedy, the worst first and equal ones once, then nodes and verdict."""
    for severity in Severity:
        for first, *others in _grouped(inspection.of(severity)):
            yield f"{MARKS[severity]} {line(first)}"
            if others:
                count, subjects = len(others), sorted({finding.subject for finding in others})
                more = f", and {len(subjects) - MAX_NAMED} more" if len(subjects) > MAX_NAMED else ""
                places = f"{count} other place{'' if count == 1 else 's'}"
                yield f"  The same at {places}: {', '.join(subjects[:MAX_NAMED])}{more}."
            yield f"  {first.remedy} See {first.runbook}."
    if inspection.nodes is not None:
        yield from inspection.nodes.lines()
    yield inspection.verdict


def line(finding: Finding) -> str:
    """Returns `capacity: Deployment/web spec.template…: It needs 350m. (chart/values.yaml:12)`."""
    field = f" {finding.path}" if finding.path else ""
    place = f" ({finding.place.file}:{finding.place.line})" if finding.place else ""
    return f"{finding.check}: {finding.subject}{field}: {finding.cause}{place}"


def _grouped(findings: Iterable[Finding]) -> Iterable[list[Finding]]:
    """Groups findings that say the same of different places; keeps their order."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.check, finding.cause, finding.remedy), []).append(finding)
    return groups.values()
