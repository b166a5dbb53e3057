"""Findings that release.yaml accepts until a day."""

from datetime import timedelta
from typing import Any

import pytest

from todo_release.core.yaml_positions import Place
from todo_release.errors import ConfigError
from todo_release.preflight import all_checks
from todo_release.preflight.finding import Finding
from todo_release.preflight.snapshot import PreflightSnapshot

from .snapshots import NOW, make_config, make_snapshot, workload

TODAY = NOW.date()


def waiver(**changes: Any) -> dict[str, Any]:
    """Returns a waiver for the missing account of every Deployment."""
    fields = {"check": "references", "object": "Deployment/*", "reason": "made by hand", "until": TODAY}
    return fields | changes


def snapshot_with(*waivers: dict[str, Any], **rest: Any) -> PreflightSnapshot:
    """Returns staging with a Deployment whose account does not exist."""
    pods = {"containers": [{"name": "web", "image": "redis:7"}], "serviceAccountName": "gone"}
    return make_snapshot(workload(**pods), config=make_config(preflight={"waivers": waivers}), **rest)


def references(snapshot: PreflightSnapshot) -> list[Finding]:
    """Returns the findings of the check that the waivers are for."""
    return [finding for finding in all_checks.evaluate(snapshot, {}) if finding.check == "references"]


def test_waived_error_is_a_note_with_the_reason() -> None:
    """It counts on its last day still, and is no skip: the real release accepts it too."""
    (finding,) = references(snapshot_with(waiver()))
    assert (finding.severity.value, finding.skipped_because) == ("note", "")
    assert finding.cause == (
        f"It uses ServiceAccount gone, which does not exist. (Accepted until {TODAY}: made by hand.)"
    )


def test_expired_waiver_is_a_warning_and_the_error_stays() -> None:
    """The warning has the waiver's line."""
    text = "name: shop\npreflight:\n  waivers:\n    - {check: references}\n"
    snapshot = snapshot_with(waiver(until=TODAY - timedelta(days=1)), files={"release.yaml": text})
    error, warning = references(snapshot)
    assert (error.severity.value, warning.severity.value) == ("error", "warning")
    assert warning.cause == "The waiver for Deployment/* was over on 2026-11-23 (made by hand)."
    assert warning.place == Place("release.yaml", 4, 7)


@pytest.mark.parametrize(
    "changes", [{"object": "Job/*"}, {"check": "capacity"}], ids=["another object", "another check"]
)
def test_waiver_that_matches_nothing_is_a_warning(changes: dict[str, str]) -> None:
    """It would hide a later finding that nobody thought of."""
    findings = all_checks.evaluate(snapshot_with(waiver(**changes)), {})
    unused = [finding for finding in findings if "matches no finding in staging" in finding.cause]
    assert [finding.severity.value for finding in unused] == ["warning"]
    assert "error" in {finding.severity.value for finding in findings if finding.check == "references"}


def test_waiver_of_another_environment_says_nothing_here() -> None:
    """It neither accepts the finding nor is it unused."""
    (finding,) = references(snapshot_with(waiver(environment="production")))
    assert finding.severity.value == "error"


def test_waiver_of_an_unknown_check_is_refused() -> None:
    """The error names the checks."""
    with pytest.raises(ConfigError, match="the check 'memory', which does not exist") as refused:
        all_checks.evaluate(snapshot_with(waiver(check="memory")), {})
    assert "references, api-versions" in refused.value.remedy


def test_skip_of_placeholders_does_not_hide_other_findings_of_their_check() -> None:
    """An internal address among names from documentation stays an error."""
    variables = [
        {"name": "BETTER_AUTH_URL", "value": "http://frontend:3000"},
        {"name": "HOST", "value": "shop.example.com"},
    ]
    container = {"name": "web", "image": "redis:7", "env": variables}
    config = make_config(preflight={"public_urls": ["BETTER_AUTH_URL"]})
    snapshot = make_snapshot(workload(containers=[container]), config=config)
    skips = all_checks.skips(["hygiene/placeholders=no cluster is configured"])
    hygiene = [finding for finding in all_checks.evaluate(snapshot, skips) if finding.check == "hygiene"]
    assert [(finding.severity.value, bool(finding.skipped_because)) for finding in hygiene] == [
        ("error", False),
        ("note", True),
    ]
    assert "only the cluster can reach" in hygiene[0].cause
