"""All checks, in the order in which they are reported, and the judging of a picture by them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from todo_release.adapters.kubernetes.manifest import Manifest
from todo_release.errors import ConfigError
from todo_release.preflight.check import Check
from todo_release.preflight.checks import (
    api_versions,
    autoscaling,
    capacity,
    dapr,
    hygiene,
    images,
    migrations,
    network,
    probes,
    references,
    release_state,
    workflows,
)
from todo_release.preflight.finding import Finding, Severity
from todo_release.preflight.snapshot import PreflightSnapshot, Resource, resource_of

CHECKS: tuple[Check, ...] = (
    references.CHECK, api_versions.CHECK, dapr.CHECK, images.CHECK, capacity.CHECK, autoscaling.CHECK,
    network.CHECK, probes.CHECK, release_state.CHECK, hygiene.CHECK, migrations.CHECK, workflows.CHECK,
)  # fmt: skip
ORDER = list(Severity)


def judge(snapshot: PreflightSnapshot, skips: Mapping[str, str]) -> tuple[Finding, ...]:
    """Everything that the checks find, the worst first; errors of a check that is skipped become notes."""
    found = [_skipped(finding, skips) for check in CHECKS for finding in check.judge(snapshot)]
    return tuple(sorted(dict.fromkeys(found), key=lambda finding: ORDER.index(finding.severity)))


def needs(manifest: Manifest) -> frozenset[Resource]:
    """The lists that the checks look at: their own, and those that hold what the chart will replace."""
    own = {resource for check in CHECKS for resource in check.needs}
    return frozenset(own | {resource_of(one) for one in manifest.objects})


def skips(texts: Iterable[str]) -> dict[str, str]:
    """Reasons by check, from `CHECK=REASON`.

    Raises:
        ConfigError: there is no such check, or no reason is given.
    """
    found = {}
    for text in texts:
        name, _, reason = text.partition("=")
        if name not in (known := [check.id for check in CHECKS]) or not reason.strip():
            problem = (
                f"there is no check {name!r}" if name not in known else f"the check {name!r} needs a reason"
            )
            raise ConfigError(
                f"`--skip {text}` cannot be done: {problem}.",
                remedy=f"Write CHECK=REASON; the checks are {', '.join(known)}.",
            )
        found[name] = reason.strip()
    return found


def _skipped(finding: Finding, skips: Mapping[str, str]) -> Finding:
    reason = skips.get(finding.check)
    if reason is None or finding.severity is not Severity.ERROR:
        return finding
    cause = f"{finding.cause} (Skipped: {reason}.)"
    return replace(finding, severity=Severity.NOTE, cause=cause, skipped_because=reason)
