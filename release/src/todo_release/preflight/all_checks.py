"""All checks in the order of their reports, their evaluation, and `--skip CHECK=REASON`."""

from collections.abc import Iterable, Mapping

from todo_release.adapters.kubernetes.api_resources import Resource
from todo_release.adapters.kubernetes.manifest import RenderedManifest
from todo_release.errors import ConfigError
from todo_release.preflight import waivers
from todo_release.preflight.check import PreflightCheck
from todo_release.preflight.checks import (
    api_versions,
    autoscaling,
    capacity,
    dapr,
    helm_record,
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
from todo_release.preflight.snapshot import PreflightSnapshot

CHECKS: tuple[PreflightCheck, ...] = (
    references.CHECK, api_versions.CHECK, dapr.CHECK, images.CHECK, capacity.CHECK, autoscaling.CHECK,
    network.CHECK, probes.CHECK, release_state.CHECK, hygiene.CHECK, migrations.CHECK, workflows.CHECK,
    helm_record.CHECK,
)  # fmt: skip
SEVERITY_ORDER = list(Severity)


def evaluate(snapshot: PreflightSnapshot, skips: Mapping[str, str]) -> tuple[Finding, ...]:
    """Returns all findings, the worst first; those that were accepted are notes.

    Raises:
        ConfigError: a waiver in release.yaml names a check that does not exist.
    """
    waivers.check_names(snapshot.config.preflight.waivers, [check.id for check in CHECKS])
    findings = [finding for check in CHECKS for finding in check.evaluate(snapshot)]
    accepted = waivers.apply_skips(waivers.apply_waivers(findings, snapshot), skips)
    return tuple(sorted(dict.fromkeys(accepted), key=lambda finding: SEVERITY_ORDER.index(finding.severity)))


def needs(manifest: RenderedManifest) -> frozenset[Resource]:
    """Returns the API lists that the checks need: their own, and those of the chart's objects."""
    needed_by_checks = {resource for check in CHECKS for resource in check.needs}
    return frozenset(needed_by_checks | {rendered.resource for rendered in manifest.objects})


def skips(texts: Iterable[str]) -> dict[str, str]:
    """Parses `CHECK=REASON` options into reasons by check id.

    Raises:
        ConfigError: there is no such check, or the reason is missing.
    """
    reasons = {}
    for text in texts:
        name, _, reason = text.partition("=")
        if (
            name not in (known := [*(check.id for check in CHECKS), hygiene.PLACEHOLDERS])
            or not reason.strip()
        ):
            problem = (
                f"there is no check {name!r}" if name not in known else f"the check {name!r} needs a reason"
            )
            raise ConfigError(
                f"`--skip {text}` is not valid: {problem}.",
                remedy=f"Write CHECK=REASON; the checks are {', '.join(known)}.",
            )
        reasons[name] = reason.strip()
    return reasons
