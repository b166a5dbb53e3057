"""What came of a rehearsal: for a terminal, as Markdown and as JSON."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from todo_release.core.formatting import duration
from todo_release.core.tables import Table
from todo_release.environments.diagnosis.evidence import INDEX
from todo_release.errors import ReleaseError
from todo_release.preflight import listing
from todo_release.preflight.finding import Severity
from todo_release.rehearsal.scenario import Act
from todo_release.report.markdown import of_table
from todo_release.report.text import DONE, REFUSED

if TYPE_CHECKING:
    from todo_release.preflight.finding import Finding
    from todo_release.preflight.inspection import Inspection

NOT_SHOWN = (
    "what is in the images: they are stand-ins, and no line of the application ran",
    "start-up times, probes and logs of the real containers",
    "smoke checks and the synthetic transaction: nothing answers",
    "DNS, the load balancer, and the issuing of certificates",
    "the network, Dapr's control plane, the broker and the databases",
    "commits and tags that only the real remote has",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A rehearsal that is over. `site` says what it was played in, `steps` are seconds by title, `before` and
    `after` the inspections of the last environment, None when it did not come that far.
    """

    version: str
    site: str
    acts: tuple[Act, ...]
    steps: Mapping[str, float]
    inspections: "tuple[Inspection, ...]"
    after: "Inspection | None"
    notes: tuple[str, ...] = ()
    seconds: float = 0

    @property
    def failed(self) -> ReleaseError | None:
        """The error of the first act that failed."""
        return next((act.error for act in self.acts if act.error), None)

    @property
    def verdict(self) -> str:
        """One line."""
        if self.failed:
            came = f"would fail: {next(act.told for act in self.acts if act.error).rstrip('.')}"
        elif skipped := self.skipped():
            checks = ", ".join(f"{check} ({len(found)})" for check, found in skipped.items())
            came = f"would go through, once what was skipped here is corrected: {checks}"
        else:
            came = "would go through"
        return f"{self.version} {came}. Rehearsed in {duration(self.seconds)}, {self.site}."

    def skipped(self) -> "dict[str, list[Finding]]":
        """What would have stopped the release had its check not been skipped, by check."""
        found: dict[str, list[Finding]] = {}
        for one in (one for inspection in self.inspections for one in inspection.findings):
            if one.skipped_because:
                found.setdefault(one.check, []).append(one)
        return found

    def acts_table(self) -> Table:
        """What was tried and what came of it."""
        rows = tuple(
            (REFUSED if act.error else DONE, act.name, duration(act.seconds), act.told) for act in self.acts
        )
        return Table(f"Rehearsal of {self.version}", ("", "act", "took", "what came of it"), rows)

    def steps_table(self) -> Table:
        """How long each step of the release took here."""
        rows = tuple((title, duration(seconds)) for title, seconds in self.steps.items())
        return Table("Steps of the release", ("step", "took"), rows)

    def nodes_tables(self) -> Iterator[Table]:
        """The nodes before the release and after it."""
        before = next((one for one in reversed(self.inspections) if one.nodes), None)
        for when, found in (("Before", before), ("After", self.after)):
            if found is not None and found.nodes is not None:
                yield Table(f"{when} the release: {found.nodes.title}", found.nodes.columns, found.nodes.rows)

    def findings(self) -> Iterator[str]:
        """What preflight found in each environment, the worst first; of a skipped check only the first."""
        for found in self.inspections:
            for severity in Severity:
                for one in found.of(severity):
                    if not one.skipped_because:
                        yield f"{listing.MARKS[severity]} {found.environment}: {listing.line(one)}"
        for skipped in self.skipped().values():
            yield f"{listing.MARKS[Severity.NOTE]} {len(skipped)} times {listing.line(skipped[0])}"

    def as_json(self, folder: Path) -> dict[str, Any]:
        """For machines; paths are relative to the report's folder."""
        return {
            "version": self.version,
            "site": self.site,
            "would_go_through": self.failed is None,
            "exit_code": self.failed.code if self.failed else 0,
            "seconds": round(self.seconds, 3),
            "acts": [_act(act, folder) for act in self.acts],
            "steps": {title: round(seconds, 3) for title, seconds in self.steps.items()},
            "preflight": [found.as_json() for found in self.inspections],
            "after": self.after.as_json() if self.after else None,
            "notes": list(self.notes),
            "not_shown": list(NOT_SHOWN),
        }

    def markdown(self, folder: Path) -> str:
        """A page that can be kept or posted; links lead from the report's folder."""
        parts = [f"# {self.verdict}", *(_explanation(act, folder) for act in self.acts if act.error)]
        parts += [of_table(table) for table in (self.acts_table(), self.steps_table(), *self.nodes_tables())]
        for title, lines in (("Preflight", tuple(self.findings())), ("Notes", self.notes)):
            if lines:
                parts.append(f"## {title}\n\n" + "\n".join(f"- {line}" for line in lines))
        parts.append("## Not shown\n\n" + "\n".join(f"- {line}" for line in NOT_SHOWN))
        return "\n\n".join(parts) + "\n"

    def write(self, folder: Path) -> Path:
        """Write report.md and report.json into a folder and return the page's path."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.as_json(folder), indent=2)
        (folder / "report.json").write_text(f"{text}\n", encoding="utf-8")
        page = folder / "report.md"
        page.write_text(self.markdown(folder), encoding="utf-8")
        return page


def _act(act: Act, folder: Path) -> dict[str, Any]:
    played = {"name": act.name, "seconds": round(act.seconds, 3), "told": act.told}
    error = act.error
    if error is None:
        return played | {"exit_code": 0}
    return played | {
        "exit_code": error.code,
        "problem": error.problem,
        "notes": list(getattr(error, "__notes__", ())),
        "evidence": Path(act.evidence).relative_to(folder).as_posix() if act.evidence else None,
        "remedy": error.remedy,
    }


def _explanation(act: Act, folder: Path) -> str:
    """Why an act failed, what was done about it, where the evidence is, what to do next."""
    told = _act(act, folder)
    lines = [f"## {act.name}: exit code {told['exit_code']}", "", "```", told["problem"], "```", ""]
    lines += [f"- {note[0].upper()}{note[1:]}." for note in told["notes"]]
    if told["evidence"]:
        lines.append(f"- Evidence: [{told['evidence']}]({told['evidence']}/{INDEX})")
    return "\n".join([*lines, f"- {told['remedy']}"])
