"""What a check has to say: what is wrong, how bad it is, where it stands, and what to do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from todo_release.core.yaml_positions import Path, Place, dotted


class Severity(StrEnum):
    """An error will certainly fail the release or break users; a warning may; a note is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found. `subject` is `Kind/name` or a file, `field` a path in that object, `cause` and
    `remedy` are sentences. Whoever runs the checks fills in `check` and, unless the check knew it, `place`;
    `skipped_because` is the reason why what would be an error does not count.
    """

    severity: Severity
    subject: str
    cause: str
    remedy: str
    field: Path = ()
    place: Place | None = None
    check: str = ""
    skipped_because: str = ""

    @property
    def runbook(self) -> str:
        """The page, from the repository's root, that says more."""
        return f"docs/runbooks/preflight-{self.check}.md"

    @property
    def path(self) -> str:
        """The field, dotted."""
        return dotted(self.field)

    def as_json(self) -> Mapping[str, Any]:
        """For machines."""
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


def error(subject: str, cause: str, remedy: str, field: Path = (), place: Place | None = None) -> Finding:
    """A finding that stops a release."""
    return Finding(
        severity=Severity.ERROR, subject=subject, cause=cause, remedy=remedy, field=field, place=place
    )


def warning(subject: str, cause: str, remedy: str, field: Path = (), place: Place | None = None) -> Finding:
    """A finding that a person should decide about."""
    return Finding(
        severity=Severity.WARNING, subject=subject, cause=cause, remedy=remedy, field=field, place=place
    )


def note(subject: str, cause: str, remedy: str, field: Path = (), place: Place | None = None) -> Finding:
    """A finding for whoever wonders later."""
    return Finding(
        severity=Severity.NOTE, subject=subject, cause=cause, remedy=remedy, field=field, place=place
    )
