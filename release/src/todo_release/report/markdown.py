"""Markdown for job summaries and reports."""

from typing import TYPE_CHECKING

from todo_release.preflight.finding import Severity

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection

from todo_release.core.tables import Table
from todo_release.preflight.finding import Finding


def of_table(table: Table) -> str:
    """A section: the title and the table."""
    rows = [table.columns, tuple("---" for _ in table.columns), *table.rows]
    lines = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    return f"## {table.title}\n\n" + "\n".join(lines)


def cell(text: str) -> str:
    """A text in a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", "<br>")


ICONS = {Severity.ERROR: ":x:", Severity.WARNING: ":warning:", Severity.NOTE: ":information_source:"}


def of_inspection(found: "Inspection") -> str:
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


def _at(finding: Finding) -> str:
    return f"<br>`{finding.place.file}:{finding.place.line}`" if finding.place else ""


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
