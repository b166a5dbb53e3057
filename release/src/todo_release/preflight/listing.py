"""Findings as lines of text."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from todo_release.preflight.finding import Severity

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection
from todo_release.preflight.finding import Finding

MARKS = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.NOTE: "•"}


NAMED = 3  # objects that are named of many alike; JSON and Markdown have them all


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
