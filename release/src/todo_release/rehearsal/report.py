"""The report of a rehearsal: for a terminal, as Markdown and as JSON."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from todo_release.core import release_folder
from todo_release.core.formatting import duration
from todo_release.core.tables import Table
from todo_release.environments.diagnosis.evidence import INDEX_FILE
from todo_release.errors import ReleaseError
from todo_release.preflight import listing
from todo_release.preflight.finding import Finding, Severity
from todo_release.preflight.inspection import Inspection
from todo_release.rehearsal.scenario import Phase
from todo_release.report.markdown import list_section, table_section
from todo_release.report.text import DONE, REFUSED

NOT_SHOWN = (
    "the content of images: they are stubs, and no code of the application ran",
    "start-up times, probes and logs of the real containers",
    "smoke checks, requests as well as programs, and the watch after them: nothing answers",
    "DNS, the load balancer, and the issuing of certificates",
    "the network, Dapr's control plane, the broker and the databases",
    "commits and tags that only the real remote has",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalReport:
    """The result of a rehearsal.

    Attributes:
        version: What was released.
        cluster: Describes the cluster of the rehearsal, as a noun.
        phases: What was run, in order.
        steps: Seconds of each step of the release, by its title.
        inspections: Preflight of each environment during the release.
        after: Inspection of the last environment after the release; None if the release failed.
        notes: What a reader should know besides, without a full stop.
        confirmed: Environments before which the release stops until a person agrees.
        seconds: How long all of it took.
    """

    version: str
    cluster: str
    phases: tuple[Phase, ...]
    steps: Mapping[str, float]
    inspections: tuple[Inspection, ...]
    after: Inspection | None
    notes: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    seconds: float = 0

    @property
    def error(self) -> ReleaseError | None:
        """The error of the first phase that failed."""
        return next((phase.error for phase in self.phases if phase.error), None)

    @property
    def verdict(self) -> str:
        """One line: whether the release would succeed, how long the rehearsal took, on what cluster.

        It also says where the release stops for a person, unless it fails before.
        """
        if self.error:
            summary = next(phase.summary for phase in self.phases if phase.error)
            result = f"would fail: {summary.rstrip('.')}"
        elif skipped := self.skipped():
            checks = ", ".join(f"{check} ({len(findings)})" for check, findings in skipped.items())
            result = f"would succeed once the findings of skipped checks are corrected: {checks}"
        else:
            result = "would succeed"
        stop = ""
        if self.confirmed and not self.error:
            stop = (
                f" Before {' and '.join(self.confirmed)} it stops until a person agrees; "
                "`--yes` agrees beforehand."
            )
        return f"{self.version} {result}. Rehearsed in {duration(self.seconds)} on {self.cluster}.{stop}"

    def skipped(self) -> dict[str, list[Finding]]:
        """Returns the findings, by check or rule, that would have stopped the release without a skip."""
        skipped: dict[str, list[Finding]] = {}
        for inspection in self.inspections:
            for finding in inspection.findings:
                if finding.skipped_because:
                    name = f"{finding.check}/{finding.rule}" if finding.rule else finding.check
                    skipped.setdefault(name, []).append(finding)
        return skipped

    def phases_table(self) -> Table:
        """Returns a table with a row per phase."""
        rows = tuple(
            (REFUSED if phase.error else DONE, phase.name, duration(phase.seconds), phase.summary)
            for phase in self.phases
        )
        return Table(f"Rehearsal of {self.version}", ("", "phase", "took", "result"), rows)

    def steps_table(self) -> Table:
        """Returns a table with how long each step of the release took in the rehearsal."""
        rows = tuple((title, duration(seconds)) for title, seconds in self.steps.items())
        return Table("Steps of the release", ("step", "took"), rows)

    def nodes_tables(self) -> Iterator[Table]:
        """Yields tables with the requests on the nodes, before the release and after it."""
        before = next((inspection for inspection in reversed(self.inspections) if inspection.nodes), None)
        for moment, inspection in (("Before", before), ("After", self.after)):
            if inspection is not None and inspection.nodes is not None:
                nodes = inspection.nodes
                yield Table(f"{moment} the release: {nodes.title}", nodes.columns, nodes.rows)

    def findings(self) -> Iterator[str]:
        """Yields preflight's findings, the worst first of each environment.

        What is found in several environments is yielded once, and of a skipped check only one finding.
        """
        environments: dict[tuple[Severity, str], list[str]] = {}
        for inspection in self.inspections:
            for severity in Severity:
                for finding in inspection.of(severity):
                    if not finding.skipped_because:
                        found_in = environments.setdefault((severity, listing.line(finding)), [])
                        if inspection.environment not in found_in:
                            found_in.append(inspection.environment)
        for (severity, line), found_in in environments.items():
            yield f"{listing.MARKS[severity]} {', '.join(found_in)}: {line}"
        for findings in self.skipped().values():
            times = f"{len(findings)} times " if len(findings) > 1 else ""
            yield f"{listing.MARKS[Severity.NOTE]} {times}{listing.line(findings[0])}"

    def as_json(self, folder: Path) -> dict[str, Any]:
        """Returns the report for programs; paths are relative to its folder."""
        return {
            "version": self.version,
            "cluster": self.cluster,
            "would_succeed": self.error is None,
            "stops_for_a_person_before": list(self.confirmed),
            "exit_code": self.error.code if self.error else 0,
            "seconds": round(self.seconds, 3),
            "phases": [_phase_json(phase, folder) for phase in self.phases],
            "steps": {title: round(seconds, 3) for title, seconds in self.steps.items()},
            "preflight": [inspection.as_json() for inspection in self.inspections],
            "after": self.after.as_json() if self.after else None,
            "notes": list(self.notes),
            "not_shown": list(NOT_SHOWN),
        }

    def markdown(self, folder: Path) -> str:
        """Returns the report as a page; links are relative to its folder."""
        parts = [f"# {self.verdict}", *(_failure(phase, folder) for phase in self.phases if phase.error)]
        tables = (self.phases_table(), self.steps_table(), *self.nodes_tables())
        parts += [table_section(table) for table in tables]
        for title, lines in (("Preflight", tuple(self.findings())), ("Notes", self.notes)):
            if lines:
                parts.append(list_section(title, lines))
        parts.append(list_section("Not shown", NOT_SHOWN))
        return "\n\n".join(parts) + "\n"

    def write(self, folder: Path) -> Path:
        """Writes report.md and report.json into a folder and returns the path of report.md."""
        release_folder.create(folder)
        text = json.dumps(self.as_json(folder), indent=2)
        (folder / "report.json").write_text(f"{text}\n", encoding="utf-8")
        page = folder / "report.md"
        page.write_text(self.markdown(folder), encoding="utf-8")
        return page


def _phase_json(phase: Phase, folder: Path) -> dict[str, Any]:
    result = {"name": phase.name, "seconds": round(phase.seconds, 3), "summary": phase.summary}
    error = phase.error
    if error is None:
        return result | {"exit_code": 0}
    return result | {
        "exit_code": error.code,
        "problem": error.problem,
        "notes": list(getattr(error, "__notes__", ())),
        "evidence": Path(phase.evidence).relative_to(folder).as_posix() if phase.evidence else None,
        "remedy": error.remedy,
    }


def _failure(phase: Phase, folder: Path) -> str:
    """Returns the section about a failed phase: the error, notes, a link to the evidence, the remedy."""
    facts = _phase_json(phase, folder)
    lines = [f"## {phase.name}: exit code {facts['exit_code']}", "", "```", facts["problem"], "```", ""]
    lines += [f"- {note[0].upper()}{note[1:]}." for note in facts["notes"]]
    if facts["evidence"]:
        lines.append(f"- Evidence: [{facts['evidence']}]({facts['evidence']}/{INDEX_FILE})")
    return "\n".join([*lines, f"- {facts['remedy']}"])
