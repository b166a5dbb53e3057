"""What came of a rehearsal, for people and for machines."""

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
from todo_release.rehearsal.report import NOT_SHOWN, Outcome
from todo_release.rehearsal.scenario import Act, play

NODES = Table("Requests on the nodes", ("node", "cpu"), (("pool-1", "50 %"),))


def inspection(*findings: Finding, nodes: Table | None = NODES) -> Inspection:
    """An inspection of staging that found this."""
    return Inspection(
        environment="staging", version="1.0.0", findings=findings, nodes=nodes, skips={}, seconds=0.1
    )


def outcome(**changes: Any) -> Outcome:
    """A rehearsal that went well."""
    good = Outcome(
        version="1.0.0",
        site="three nodes",
        acts=(Act(name="release 1.0.0", told="13 steps", seconds=2),),
        steps={"Build web": 0.5},
        inspections=(inspection(replace(warning("Ingress/web", "It is new.", "Wait."), check="network")),),
        after=inspection(),
        seconds=12,
    )
    return replace(good, **changes)


def failing(failure: ReleaseError) -> Act:
    """An act that ended with an error."""

    def fail() -> str:
        raise failure

    return play("release 1.0.0", fail)


def crash(evidence: Path | None = None) -> ReleaseError:
    """A rollout that failed, and was taken back."""
    found = RolloutFailure(CRASH_LOOP, "Deployment/web", "web ended 2 times").error(evidence)
    found.add_note("rolled back to 0.9.0 (revision 3)")
    return found


def test_verdict_of_a_good_rehearsal_says_where_and_how_long() -> None:
    """One line."""
    assert outcome().verdict == "1.0.0 would go through. Rehearsed in 12 s, three nodes."


def test_verdict_names_what_was_skipped_and_would_have_stopped_it() -> None:
    """With how many findings there were."""
    skipped = replace(
        error("Ingress/web", "No name.", "Set it."),
        check="hygiene",
        severity=Severity.NOTE,
        skipped_because="a test",
    )
    found = outcome(inspections=(inspection(skipped, skipped), inspection(skipped)))
    assert found.verdict.startswith(
        "1.0.0 would go through, once what was skipped here is corrected: hygiene (3). Rehearsed"
    )
    assert list(found.findings()) == ["• 3 times hygiene: Ingress/web: No name."]


def test_verdict_of_a_failure_is_the_first_line_of_its_problem() -> None:
    """Preflight's is a list, which the page has."""
    problem = "2 things would fail in staging:\n  one\n  two"
    found = outcome(acts=(failing(HelmError(problem, remedy="Look.")),))
    assert found.verdict.startswith("1.0.0 would fail: 2 things would fail in staging. Rehearsed in")
    assert found.failed is found.acts[0].error


def test_act_that_works_tells_what_was_done_and_how_long_it_took() -> None:
    """Only errors of releases end it quietly."""
    act = play("release", lambda: "done")
    assert (act.told, act.error, act.evidence) == ("done", None, None)
    assert act.seconds >= 0
    with pytest.raises(ZeroDivisionError):
        play("release", lambda: str(1 / 0))


def test_page_has_everything_and_says_what_is_not_shown(tmp_path: Path) -> None:
    """Tables in Markdown; cells cannot break them."""
    acts = (Act(name="release 1.0.0", told="a | b", seconds=2),)
    page = outcome(acts=acts, notes=("no rollback",)).write(tmp_path / "report").read_text()
    assert page.startswith("# 1.0.0 would go through.")
    assert "| ✓ | release 1.0.0 | 2.0 s | a \\| b |" in page
    assert "| Build web | 0.5 s |" in page
    assert (
        "## Before the release: Requests on the nodes\n\n| node | cpu |\n| --- | --- |\n| pool-1 | 50 % |"
        in page
    )
    assert "## After the release: Requests on the nodes" in page
    assert "- ! staging: network: Ingress/web: It is new." in page
    assert "## Notes\n\n- no rollback" in page
    assert all(f"- {line}" in page for line in NOT_SHOWN)


def test_page_of_a_failure_begins_with_cause_evidence_and_remedy(tmp_path: Path) -> None:
    """Before any table."""
    evidence = tmp_path / "1.0.0/evidence/staging"
    page = outcome(acts=(failing(crash(evidence)),), steps={}).write(tmp_path).read_text()
    told = page.partition("## Rehearsal of")[0].splitlines()[2:]
    assert told == [
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
    """Nothing was deployed yet."""
    page = outcome(acts=(failing(HelmError("No.", remedy="Look.")),)).write(tmp_path).read_text()
    assert "## release 1.0.0: exit code 9" in page
    assert "Evidence" not in page


def test_machines_get_the_same(tmp_path: Path) -> None:
    """Exit codes an act, preflight's findings, the nodes, what is not shown."""
    acts = (Act(name="what runs before", told="0.9.0", seconds=1), failing(crash(tmp_path / "e")))
    outcome(acts=acts).write(tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert (found["version"], found["would_go_through"], found["exit_code"]) == ("1.0.0", False, 26)
    assert found["acts"][0] == {"name": "what runs before", "seconds": 1, "told": "0.9.0", "exit_code": 0}
    assert found["acts"][1]["notes"] == ["rolled back to 0.9.0 (revision 3)"]
    assert found["acts"][1]["evidence"] == "e"
    assert found["preflight"][0]["findings"][0]["check"] == "network"
    assert found["after"]["nodes"]["rows"] == [{"node": "pool-1", "cpu": "50 %"}]
    assert found["not_shown"] == list(NOT_SHOWN)


def test_nodes_that_nobody_could_see_are_left_out() -> None:
    """A rehearsal that did not come that far has no table of them."""
    found = outcome(inspections=(inspection(nodes=None),), after=None)
    assert list(found.nodes_tables()) == []
