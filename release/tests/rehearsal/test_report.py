"""The report of a rehearsal, for people and for programs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from todo_release.core.tables import Table
from todo_release.environments.rollout.causes import CRASH_LOOP, RolloutFailure
from todo_release.errors import HelmError, ReleaseError
from todo_release.preflight.finding import Finding, Severity, error, warning
from todo_release.preflight.inspection import Inspection
from todo_release.rehearsal.report import NOT_SHOWN, RehearsalReport
from todo_release.rehearsal.scenario import Phase, run_phase

NODES = Table("Requests on the nodes", ("node", "cpu"), (("pool-1", "50 %"),))


def inspection(*findings: Finding, nodes: Table | None = NODES) -> Inspection:
    """Returns an inspection of staging with these findings."""
    return Inspection(
        environment="staging", version="1.0.0", findings=findings, nodes=nodes, skips={}, seconds=0.1
    )


def report(**changes: Any) -> RehearsalReport:
    """Returns the report of a successful rehearsal, with changes."""
    good = RehearsalReport(
        version="1.0.0",
        cluster="three nodes",
        phases=(Phase(name="release 1.0.0", summary="13 steps", seconds=2),),
        steps={"Build web": 0.5},
        inspections=(inspection(replace(warning("Ingress/web", "It is new.", "Wait."), check="network")),),
        after=inspection(),
        seconds=12,
    )
    return replace(good, **changes)


def failed_phase(failure: ReleaseError) -> Phase:
    """Returns a phase that ended with an error."""

    def fail() -> str:
        raise failure

    return run_phase("release 1.0.0", fail)


def crash(evidence: Path | None = None) -> ReleaseError:
    """Returns the error of a rollout that failed and was rolled back."""
    error = RolloutFailure(CRASH_LOOP, "Deployment/web", "web ended 2 times").to_error(evidence)
    error.add_note("rolled back to 0.9.0 (revision 3)")
    return error


def test_verdict_of_a_success_names_duration_and_cluster() -> None:
    """The verdict is one line with the result, the duration and the cluster."""
    assert report().verdict == "1.0.0 would succeed. Rehearsed in 12 s on three nodes."


def test_verdict_counts_findings_of_skipped_checks() -> None:
    """The verdict names each skipped check with the number of its findings."""
    skipped = replace(
        error("Ingress/web", "No name.", "Set it."),
        check="hygiene",
        severity=Severity.NOTE,
        skipped_because="a test",
    )
    result = report(inspections=(inspection(skipped, skipped), inspection(skipped)))
    assert result.verdict.startswith(
        "1.0.0 would succeed once the findings of skipped checks are corrected: hygiene (3). Rehearsed"
    )
    assert list(result.findings()) == ["• 3 times hygiene: Ingress/web: No name."]
    assert list(report(inspections=(inspection(skipped),)).findings()) == ["• hygiene: Ingress/web: No name."]


def test_verdict_of_a_failure_is_the_first_line_of_its_problem() -> None:
    """The verdict has the first line of the error; the page has all of it."""
    problem = "2 things would fail in staging:\n  one\n  two"
    result = report(phases=(failed_phase(HelmError(problem, remedy="Look.")),))
    assert result.verdict.startswith("1.0.0 would fail: 2 things would fail in staging. Rehearsed in")
    assert result.error is result.phases[0].error


def test_verdict_says_where_the_release_stops_for_a_person(tmp_path: Path) -> None:
    """The verdict and the JSON name the environments; a release that fails before does not get there."""
    result = report(confirmed=("production",))
    assert result.verdict.endswith(
        " on three nodes. Before production it stops until a person agrees; `--yes` agrees beforehand."
    )
    assert result.as_json(tmp_path)["stops_for_a_person_before"] == ["production"]
    failed = report(confirmed=("production",), phases=(failed_phase(HelmError("No.", remedy="Look.")),))
    assert failed.verdict.endswith(" on three nodes.")


def test_finding_of_several_environments_is_shown_once() -> None:
    """One line names the environments; another severity or text is a line of its own."""
    note = replace(warning("Ingress/web", "It is new.", "Wait."), check="network")
    staging = inspection(note, replace(note, cause="It is old."))
    production = replace(inspection(note), environment="production")
    assert list(report(inspections=(staging, production)).findings()) == [
        "! staging, production: network: Ingress/web: It is new.",
        "! staging: network: Ingress/web: It is old.",
    ]


def test_phase_keeps_its_summary_and_duration() -> None:
    """A phase that succeeds has a summary, and other errors than ReleaseError are raised."""
    phase = run_phase("release", lambda: "done")
    assert (phase.summary, phase.error, phase.evidence) == ("done", None, None)
    assert phase.seconds >= 0
    with pytest.raises(ZeroDivisionError):
        run_phase("release", lambda: str(1 / 0))


def test_page_has_everything_and_says_what_is_not_shown(tmp_path: Path) -> None:
    """The page has all tables, with escaped cells, notes, and the list of what is not shown."""
    phases = (Phase(name="release 1.0.0", summary="a | b", seconds=2),)
    page = report(phases=phases, notes=("no rollback",)).write(tmp_path / "report").read_text()
    assert page.startswith("# 1.0.0 would succeed.")
    assert "| ✓ | release 1.0.0 | 2.0 s | a \\| b |" in page
    assert "| Build web | 0.5 s |" in page
    assert (
        "## Before the release: Requests on the nodes\n\n| node | cpu |\n|---|---|\n| pool-1 | 50 % |" in page
    )
    assert "## After the release: Requests on the nodes" in page
    assert "- ! staging: network: Ingress/web: It is new." in page
    assert "## Notes\n\n- no rollback" in page
    assert all(f"- {line}" in page for line in NOT_SHOWN)


def test_page_of_a_failure_begins_with_cause_evidence_and_remedy(tmp_path: Path) -> None:
    """The page of a failed release begins with the error, its notes, evidence and remedy."""
    evidence = tmp_path / "1.0.0/evidence/staging"
    page = report(phases=(failed_phase(crash(evidence)),), steps={}).write(tmp_path).read_text()
    lines = page.partition("## Rehearsal of")[0].splitlines()[2:]
    assert lines == [
        "## release 1.0.0: exit code 26",
        "",
        "```",
        "Deployment/web: web ended 2 times [crash-loop].",
        "```",
        "",
        "- Rolled back to 0.9.0 (revision 3).",
        "- Evidence: [1.0.0/evidence/staging](1.0.0/evidence/staging/README.md)",
        f"- {CRASH_LOOP.remedy} See docs/runbooks/crash-loop.md.",
        "",
    ]


def test_failure_without_evidence_links_to_none(tmp_path: Path) -> None:
    """The page of an error without evidence has no link."""
    page = report(phases=(failed_phase(HelmError("No.", remedy="Look.")),)).write(tmp_path).read_text()
    assert "## release 1.0.0: exit code 9" in page
    assert "Evidence" not in page


def test_json_report_has_the_same_content(tmp_path: Path) -> None:
    """report.json has the phases with exit codes, findings, nodes, and what is not shown."""
    phases = (
        Phase(name="install the previous version", summary="0.9.0", seconds=1),
        failed_phase(crash(tmp_path / "e")),
    )
    report(phases=phases).write(tmp_path)
    result = json.loads((tmp_path / "report.json").read_text())
    assert (result["version"], result["would_succeed"], result["exit_code"]) == ("1.0.0", False, 26)
    assert result["phases"][0] == {
        "name": "install the previous version",
        "seconds": 1,
        "summary": "0.9.0",
        "exit_code": 0,
    }
    assert result["phases"][1]["notes"] == ["rolled back to 0.9.0 (revision 3)"]
    assert result["phases"][1]["evidence"] == "e"
    assert result["preflight"][0]["findings"][0]["check"] == "network"
    assert result["after"]["nodes"]["rows"] == [{"node": "pool-1", "cpu": "50 %"}]
    assert result["not_shown"] == list(NOT_SHOWN)


def test_unread_nodes_have_no_table() -> None:
    """A rehearsal that ended before the nodes were read has no table of nodes."""
    result = report(inspections=(inspection(nodes=None),), after=None)
    assert list(result.nodes_tables()) == []
