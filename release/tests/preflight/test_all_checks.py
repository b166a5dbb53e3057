"""All checks together: their names, their runbooks, and what is skipped."""

from pathlib import Path

import pytest

from todo_release.errors import ConfigError
from todo_release.preflight import all_checks
from todo_release.preflight.all_checks import CHECKS
from todo_release.preflight.check import PreflightCheck

from .snapshots import make_snapshot, workload

RUNBOOKS = Path(__file__).parents[3] / "docs/runbooks"


def test_every_check_has_an_id_of_its_own_and_a_title() -> None:
    """They are what people skip by and read."""
    assert len({check.id for check in CHECKS}) == len(CHECKS) == 12
    assert all(check.title and check.rules for check in CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_every_check_has_a_runbook_of_its_name(check: PreflightCheck) -> None:
    """Symptom, cause, how to look, how to fix: short enough to be read in a hurry."""
    text = (RUNBOOKS / f"preflight-{check.id}.md").read_text(encoding="utf-8")
    for heading in ("## Symptom", "## Cause", "## Look", "## Fix"):
        assert heading in text
    assert 15 <= len(text.splitlines()) <= 40


def test_runbooks_of_preflight_are_those_of_its_checks() -> None:
    """None is left of a check that is gone."""
    assert {path.stem for path in RUNBOOKS.glob("preflight-*.md")} == {
        f"preflight-{check.id}" for check in CHECKS
    }


def test_empty_release_to_an_empty_namespace_has_nothing_to_say() -> None:
    """Nothing but that there are no nodes."""
    assert [finding.check for finding in all_checks.evaluate(make_snapshot(), {})] == ["capacity"]


def test_worst_comes_first() -> None:
    """Whatever check it is from."""
    probe = {"httpGet": {"path": "/x", "port": 1}}
    container = {"name": "web", "image": "registry.test/shop/web:1", "readinessProbe": probe}
    pods = {"containers": [container], "serviceAccountName": "gone"}
    severities = [
        finding.severity.value for finding in all_checks.evaluate(make_snapshot(workload(**pods)), {})
    ]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert len(set(severities)) == 3


def test_skipped_check_has_notes_for_errors_and_the_same_warnings() -> None:
    """With the reason; other checks go on counting."""
    pods = {"containers": [{"name": "web", "image": "redis:7"}], "serviceAccountName": "gone"}
    findings = all_checks.evaluate(make_snapshot(workload(**pods)), {"references": "made by hand"})
    skipped = [finding for finding in findings if finding.check == "references"]
    assert [(finding.severity.value, finding.cause) for finding in skipped] == [
        ("note", "It uses ServiceAccount gone, which does not exist. (Skipped: made by hand.)")
    ]
    assert [finding.severity.value for finding in findings if finding.check == "images"] == ["warning"]


def test_skips_are_read_by_check() -> None:
    """A reason may have an equals sign of its own."""
    assert all_checks.skips(["capacity=a=b ", "autoscaling=c"]) == {"capacity": "a=b", "autoscaling": "c"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("capacity", "the check 'capacity' needs a reason"),
        ("capacity= ", "the check 'capacity' needs a reason"),
        ("memory=why", "there is no check 'memory'"),
    ],
)
def test_skip_without_a_reason_or_of_no_check_is_refused(text: str, problem: str) -> None:
    """The error lists the checks there are."""
    with pytest.raises(ConfigError, match=problem) as refused:
        all_checks.skips([text])
    assert "references, api-versions, dapr, images, capacity" in refused.value.remedy
