"""Writes Markdown for job summaries and reports: tables, lists, and the findings of an inspection."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from todo_release.core.tables import Table
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import Deploy
from todo_release.preflight.finding import Finding, Severity

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection

DONE, FAILED = ":white_check_mark:", ":x:"
ICONS = {Severity.ERROR: FAILED, Severity.WARNING: ":warning:", Severity.NOTE: ":information_source:"}


def table_section(table: Table) -> str:
    """Returns a section: the title as a heading, then the table."""
    return f"## {table.title}\n\n{table_rows(table)}"


def list_section(title: str, items: Iterable[str]) -> str:
    """Returns a section: the title as a heading, then one bullet for each item."""
    return f"## {title}\n\n" + "\n".join(f"- {item}" for item in items)


def table_rows(table: Table) -> str:
    """Returns the table without its title; cells may hold Markdown."""
    header, *rows = (_row(cells) for cells in (table.columns, *table.rows))
    return "\n".join([header, "|---" * len(table.columns) + "|", *rows])


def cell(text: str) -> str:
    """Returns a text that may stand in a cell of a table, or in a heading: pipes escaped, on one line."""
    return text.replace("|", "\\|").replace("\n", "<br>")


def code(text: str) -> str:
    """Returns a text in code style; an empty one stays empty."""
    return f"`{text}`" if text else ""


def inspection_section(inspection: "Inspection") -> str:
    """Returns a section of a job summary: a heading with the result, the findings, the nodes."""
    icon = FAILED if inspection.errors else DONE
    parts = [f"### {icon} Preflight of {inspection.verdict}"]
    if inspection.findings:
        columns = ("", "check", "object", "cause", "remedy")
        rows = tuple(_finding_row(finding) for finding in inspection.findings)
        parts.append(table_rows(Table("Findings", columns, rows)))
    if inspection.nodes is not None:
        parts.append(table_rows(inspection.nodes))
    return "\n\n".join(parts) + "\n\n"


def plan_section(plan: Plan) -> str:
    """Returns a section of a job summary: the steps with their reasons, changes to environments, refusals."""
    parts = [f"### Plan of {plan.version}", *(f"{FAILED} {cell(str(refusal))}" for refusal in plan.refusals)]
    rows = tuple((DONE if step.is_done else "", step.title, step.reason) for step in plan.steps)
    parts.append(table_rows(Table("Steps", ("", "step", "why"), rows)))
    # A fence that no line of a change can close.
    parts += [
        "\n".join([f"Changes in {step.environment}:", "", "~~~~~~diff", *step.changes, "~~~~~~"])
        for step in plan.steps
        if isinstance(step, Deploy) and step.changes
    ]
    return "\n\n".join(parts) + "\n\n"


def _row(cells: Iterable[str]) -> str:
    return "".join(f"| {cell(text)} " if text else "| " for text in cells) + "|"


def _finding_row(finding: Finding) -> tuple[str, ...]:
    place = f"\n{code(f'{finding.place.file}:{finding.place.line}')}" if finding.place else ""
    return (
        ICONS[finding.severity],
        f"[{finding.check}]({finding.runbook})",
        f"{finding.subject}\n{code(finding.path)}",
        f"{finding.cause}{place}",
        finding.remedy,
    )
