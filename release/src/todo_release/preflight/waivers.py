"""Findings that somebody accepted: for one command by `--skip`, or until a day by release.yaml."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from todo_release.config.model import FILE_NAME
from todo_release.config.preflight import Waiver
from todo_release.core import yaml_positions
from todo_release.errors import ConfigError
from todo_release.preflight.finding import Finding, Severity, warning
from todo_release.preflight.snapshot import PreflightSnapshot


def check_names(waivers: Iterable[Waiver], checks: Collection[str]) -> None:
    """Refuses waivers of what does not exist.

    Raises:
        ConfigError: a waiver names a check that there is not.
    """
    for waiver in waivers:
        if waiver.check not in checks:
            raise ConfigError(
                f"preflight.waivers in {FILE_NAME} names the check {waiver.check!r}, which does not exist.",
                remedy=f"Use one of: {', '.join(checks)}.",
                file=FILE_NAME,
            )


def apply_skips(findings: Iterable[Finding], skips: Mapping[str, str]) -> Iterator[Finding]:
    """Yields all findings; errors of a skipped check, or of a skipped rule of it, become notes."""
    for finding in findings:
        reason = skips.get(finding.check) or skips.get(f"{finding.check}/{finding.rule}")
        if reason is None or finding.severity is not Severity.ERROR:
            yield finding
        else:
            cause = f"{finding.cause} (Skipped: {reason}.)"
            yield replace(finding, severity=Severity.NOTE, cause=cause, skipped_because=reason)


def apply_waivers(findings: Iterable[Finding], snapshot: PreflightSnapshot) -> list[Finding]:
    """Returns all findings; errors and warnings with a waiver are notes.

    A waiver that is over, or that matches nothing, is a warning of its own.
    """
    waivers = [
        (index, waiver)
        for index, waiver in enumerate(snapshot.config.preflight.waivers)
        if waiver.environment in {None, snapshot.environment}
    ]
    used: set[int] = set()
    results = []
    for finding in findings:
        matching = [
            (index, waiver)
            for index, waiver in waivers
            if finding.severity is not Severity.NOTE and _matches(waiver, finding)
        ]
        used |= {index for index, _ in matching}
        valid = [waiver for _, waiver in matching if waiver.until >= snapshot.now.date()]
        results.append(_waived(finding, valid[0]) if valid else finding)
    return results + list(_warnings(snapshot, waivers, used))


def _matches(waiver: Waiver, finding: Finding) -> bool:
    return waiver.check == finding.check and fnmatchcase(finding.subject, waiver.object)


def _waived(finding: Finding, waiver: Waiver) -> Finding:
    reason = waiver.reason.strip().rstrip(".")
    cause = f"{finding.cause} (Accepted until {waiver.until}: {reason}.)"
    return replace(finding, severity=Severity.NOTE, cause=cause)


def _warnings(
    snapshot: PreflightSnapshot, waivers: Sequence[tuple[int, Waiver]], used: Collection[int]
) -> Iterator[Finding]:
    document = yaml_positions.read(snapshot.files.get(FILE_NAME, ""), FILE_NAME)
    for index, waiver in waivers:
        place = document.place(("preflight", "waivers", index))
        if waiver.until < snapshot.now.date():
            cause = f"The waiver for {waiver.object} was over on {waiver.until} ({waiver.reason.strip()})."
            remedy = "Correct what it accepted and remove it, or give it a later day."
        elif index not in used:
            cause = f"The waiver for {waiver.object} matches no finding in {snapshot.environment}."
            remedy = "Remove it, or name the environment in which it is needed by `environment`."
        else:
            continue
        yield replace(warning(FILE_NAME, cause, remedy, place=place), check=waiver.check)
