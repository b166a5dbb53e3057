"""A finding of a check: what is wrong, how severe it is, where, and what to do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from todo_release.core.yaml_positions import Place, YamlPath, dotted


class Severity(StrEnum):
    """An error will certainly fail the release or break users; a warning may; a note is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding.

    `subject` is `Kind/name` or a file, `field` a path in that object, `cause` and `remedy` are sentences.
    `rule` names the rule of the check that found it, if that can be skipped alone. Whoever runs the checks
    fills in `check` and, unless the check knew it, `place`. `skipped_because` is the reason why an error was
    turned into a note.
    """

    severity: Severity
    subject: str
    cause: str
    remedy: str
    field: YamlPath = ()
    place: Place | None = None
    check: str = ""
    rule: str = ""
    skipped_because: str = ""

    @property
    def runbook(self) -> str:
        """Returns the path of the check's runbook, from the root of the engine's repository."""
        return f"docs/runbooks/preflight-{self.check}.md"

    @property
    def path(self) -> str:
        """Returns the field in dotted form."""
        return dotted(self.field)

    def as_json(self) -> Mapping[str, Any]:
        """Returns the finding for programs."""
        place = self.place
        return {
            "check": self.check,
            "severity": self.severity.value,
            "object": self.subject,
            "field": self.path,
            "cause": self.cause,
            "remedy": self.remedy,
            "runbook": self.runbook,
            "file": place.file if place else None,
            "line": place.line if place else None,
        }


Findings = Iterable[Finding]


def error(subject: str, cause: str, remedy: str, field: YamlPath = (), place: Place | None = None) -> Finding:
    """Returns a finding that stops a release."""
    return Finding(
        severity=Severity.ERROR, subject=subject, cause=cause, remedy=remedy, field=field, place=place
    )


def warning(
    subject: str, cause: str, remedy: str, field: YamlPath = (), place: Place | None = None
) -> Finding:
    """Returns a finding that a person should decide about."""
    return Finding(
        severity=Severity.WARNING, subject=subject, cause=cause, remedy=remedy, field=field, place=place
    )


def note(subject: str, cause: str, remedy: str, field: YamlPath = (), place: Place | None = None) -> Finding:
    """Returns a finding that is only worth knowing."""
    return Finding(
        severity=Severity.NOTE, subject=subject, cause=cause, remedy=remedy, field=field, place=place
    )
