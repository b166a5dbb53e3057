"""All checks together: their ids, their runbooks, and what is skipped."""

from pathlib import Path

import pytest

from todo_release.errors import ConfigError
from todo_release.preflight import all_checks
from todo_release.preflight.all_checks import CHECKS
from todo_release.preflight.check import PreflightCheck

from .snapshots import make_snapshot, workload

RUNBOOKS = Path(__file__).parents[3] / "docs/runbooks"


def test_every_check_has_a_unique_id_a_title_and_rules() -> None:
    """There are thirteen checks with different ids."""
    assert len({check.id for check in CHECKS}) == len(CHECKS) == 13
    assert all(check.title and check.rules for check in CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_every_check_has_a_runbook_of_its_name(check: PreflightCheck) -> None:
    """A runbook has four sections and at most 40 lines."""
    text = (RUNBOOKS / f"preflight-{check.id}.md").read_text(encoding="utf-8")
    for heading in ("## Symptom", "## Cause", "## Look", "## Fix"):
        assert heading in text
    assert 15 <= len(text.splitlines()) <= 40


def test_runbooks_of_preflight_are_those_of_its_checks() -> None:
    """No runbook is left of a check that was removed."""
    assert {path.stem for path in RUNBOOKS.glob("preflight-*.md")} == {
        f"preflight-{check.id}" for check in CHECKS
    }


def test_empty_release_finds_only_that_there_are_no_nodes() -> None:
    """An empty chart in an empty cluster leads to one finding."""
    assert [finding.check for finding in all_checks.evaluate(make_snapshot(), {})] == ["capacity"]


def test_findings_are_sorted_by_severity() -> None:
    """Errors of any check come before warnings and notes."""
    probe = {"httpGet": {"path": "/x", "port": 1}}
    container = {"name": "web", "image": "registry.test/shop/web:1", "readinessProbe": probe}
    pods = {"containers": [container], "serviceAccountName": "gone"}
    severities = [
        finding.severity.value for finding in all_checks.evaluate(make_snapshot(workload(**pods)), {})
    ]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert len(set(severities)) == 3


def test_errors_of_a_skipped_check_become_notes() -> None:
    """The note has the reason, and other checks are not affected."""
    pods = {"containers": [{"name": "web", "image": "redis:7"}], "serviceAccountName": "gone"}
    findings = all_checks.evaluate(make_snapshot(workload(**pods)), {"references": "made by hand"})
    skipped = [finding for finding in findings if finding.check == "references"]
    assert [(finding.severity.value, finding.cause) for finding in skipped] == [
        ("note", "It uses ServiceAccount gone, which does not exist. (Skipped: made by hand.)")
    ]
    assert [finding.severity.value for finding in findings if finding.check == "images"] == ["warning"]


def test_skips_are_parsed_by_check() -> None:
    """A reason may contain an equals sign."""
    assert all_checks.skips(["capacity=a=b ", "autoscaling=c"]) == {"capacity": "a=b", "autoscaling": "c"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("capacity", "the check 'capacity' needs a reason"),
        ("capacity= ", "the check 'capacity' needs a reason"),
        ("memory=why", "there is no check 'memory'"),
    ],
)
def test_skip_of_an_unknown_check_or_without_a_reason_is_refused(text: str, problem: str) -> None:
    """The error lists the checks."""
    with pytest.raises(ConfigError, match=problem) as refused:
        all_checks.skips([text])
    assert "references, api-versions, dapr, images, capacity" in refused.value.remedy
