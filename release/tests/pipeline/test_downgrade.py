"""No lower version replaces a higher one by mistake, and no deployment what its plan did not see."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from todo_release.errors import ReleaseError, StalePlanError, VersionError
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.saved_plan import PlanRequest

from ..doubles.harness import Harness
from ..shop import Tree


@pytest.fixture
def harness(tree: Tree) -> Harness:
    """Returns a harness in which 0.1.0 and then 0.2.0 were released everywhere."""
    harness = Harness(tree.path)
    harness.release("0.1.0")
    change_and_release(harness, tree, "0.2.0")
    return harness


def change_and_release(harness: Harness, tree: Tree, version: str) -> None:
    """Releases a change of web."""
    tree.commit("web: Change.", {"web/index.js": f"{version}\n"})
    harness.release(version)


def run(harness: Harness, plan: Plan) -> None:
    """Runs a plan."""
    harness.session.run(plan, harness.events.append)


def versions_of(harness: Harness, environment: str = "production") -> list[str]:
    """Returns the version of every revision in an environment."""
    return [revision.app_version for revision in harness.helm[environment].revisions]


def only(refusals: Sequence[ReleaseError]) -> ReleaseError:
    """Returns the only refusal."""
    (refusal,) = refusals
    return refusal


def test_promotion_of_a_lower_version_is_refused(harness: Harness) -> None:
    """The refusal names both versions and the two ways to do it on purpose; nothing is changed."""
    plan = harness.session.plan_promotion("0.1.0")
    refusal = only(plan.refusals)
    assert refusal.problem == "production runs 0.2.0, and 0.1.0 is lower."
    assert "`inv rollback --env production --version 0.1.0`" in refusal.remedy
    assert "`--allow-downgrade`" in refusal.remedy
    with pytest.raises(VersionError):
        run(harness, plan)
    assert versions_of(harness) == ["0.1.0", "0.2.0"]


def test_deployment_and_release_of_a_lower_version_are_refused(harness: Harness, tree: Tree) -> None:
    """A repeated release of an earlier tag refuses in every environment that is further."""
    assert only(harness.session.plan_deployment("0.1.0", ["staging"]).refusals).code == VersionError.exit_code
    tree.git("checkout", "--quiet", "v0.1.0")
    problems = [refusal.problem for refusal in harness.session.plan_release("0.1.0").refusals]
    assert problems == [
        "staging runs 0.2.0, and 0.1.0 is lower.",
        "production runs 0.2.0, and 0.1.0 is lower.",
    ]


def test_allowed_downgrade_is_deployed_without_hooks_and_says_so(harness: Harness) -> None:
    """The plan and the run say that hooks are left out, because older migrations may not know newer data."""
    plan = harness.session.plan_promotion("0.1.0", allows_downgrade=True)
    (reason,) = (step.reason for step in plan.steps if step.id == "deploy:production")
    assert reason == "0.2.0 runs there: a downgrade without hooks; migrations are not undone"
    run(harness, plan)
    assert versions_of(harness) == ["0.1.0", "0.2.0", "0.1.0"]
    assert harness.helm["production"].hooks == [True, True, False]
    notes = [event.text for event in harness.events if getattr(event, "is_note", False)]
    assert "an older version: Helm hooks are skipped, and migrations are not undone" in notes


def test_late_confirmation_does_not_deploy_over_what_came_meanwhile(harness: Harness, tree: Tree) -> None:
    """An approval of 0.3.0 that is answered after 0.4.0 went live changes nothing and says why."""
    harness.answer = False
    with pytest.raises(ReleaseError):
        change_and_release(harness, tree, "0.3.0")
    pending = harness.session.plan_promotion("0.3.0")
    harness.answer = True
    change_and_release(harness, tree, "0.4.0")
    with pytest.raises(StalePlanError) as refused:
        run(harness, pending)
    assert refused.value.problem == (
        "production has changed since the plan was made: it ran 0.2.0 (revision 2), "
        "and runs 0.4.0 (revision 3) now."
    )
    assert versions_of(harness) == ["0.1.0", "0.2.0", "0.4.0"]
    assert harness.records("production").read()[-1].version == "0.4.0"


def test_waiting_release_goes_on_over_a_lower_version(harness: Harness, tree: Tree) -> None:
    """Where nobody has to agree, a release that waited for another command goes on, and says what came."""
    tree.commit("web: Change.", {"web/index.js": "0.3.0\n"})
    plan = harness.session.plan_release("0.3.0")
    run(harness, harness.session.plan_rollback("staging", "0.1.0"))
    harness.events.clear()
    harness.answer = False  # production is not part of this test
    with pytest.raises(ReleaseError):
        run(harness, plan)
    assert versions_of(harness, "staging") == ["0.1.0", "0.2.0", "0.1.0", "0.3.0"]
    notes = [event.text for event in harness.events if getattr(event, "is_note", False)]
    assert any("it ran 0.2.0 (revision 2), and runs 0.1.0 (revision 3) now" in note for note in notes)


def test_waiting_release_stops_where_a_higher_version_came(harness: Harness, tree: Tree) -> None:
    """Of two commands at once, the lower version never replaces the higher one."""
    change_and_release(harness, tree, "0.3.0")
    run(harness, harness.session.plan_rollback("staging", "0.2.0"))
    pending = harness.session.plan_deployment("0.3.0", ["staging"])
    change_and_release(harness, tree, "0.4.0")
    with pytest.raises(StalePlanError, match=r"runs 0\.4\.0 \(revision 5\) now"):
        run(harness, pending)
    assert versions_of(harness, "staging")[-1] == "0.4.0"


def test_saved_plan_goes_on_over_nothing_that_came_meanwhile(
    harness: Harness, tree: Tree, tmp_path: Path
) -> None:
    """What somebody agreed to is exact also where release.yaml asks nobody."""
    tree.commit("web: Change.", {"web/index.js": "0.3.0\n"})
    session, file, request = harness.session, tmp_path / "plan.json", PlanRequest(version="0.3.0")
    session.save(session.plan(request), request, file)
    plan = session.load(file)
    run(harness, session.plan_rollback("staging", "0.1.0"))
    with pytest.raises(StalePlanError, match=r"runs 0\.1\.0 \(revision 3\) now"):
        run(harness, plan)


def test_rollback_does_not_take_back_what_its_plan_did_not_show(harness: Harness, tree: Tree) -> None:
    """A rollback from 0.2.0 that is confirmed after 0.3.0 went live is refused."""
    pending = harness.session.plan_rollback("production", "0.1.0")
    change_and_release(harness, tree, "0.3.0")
    with pytest.raises(StalePlanError):
        run(harness, pending)
    assert versions_of(harness) == ["0.1.0", "0.2.0", "0.3.0"]


def test_first_deployment_is_refused_when_somebody_else_was_first(tree: Tree) -> None:
    """A plan that saw nothing deployed does not replace a deployment."""
    harness = Harness(tree.path)
    plan = harness.session.plan_release("0.1.0")
    harness.helm["staging"]._add("9.0.0", "deployed", "by hand")
    with pytest.raises(StalePlanError, match=r"it ran nothing, and runs 9\.0\.0 \(revision 1\) now"):
        run(harness, plan)


def test_deployment_without_a_version_counts_by_its_revision(harness: Harness, tree: Tree) -> None:
    """A chart of another tool may have no appVersion; another revision of it is another deployment."""
    helm = harness.helm["staging"]
    helm._add("", "deployed", "Upgrade complete")
    tree.commit("web: Change.", {"web/index.js": "0.3.0\n"})
    plan = harness.session.plan_release("0.3.0")
    helm._add("", "deployed", "Upgrade complete")
    with pytest.raises(
        StalePlanError, match=r"ran something \(revision 3\), and runs something \(revision 4\)"
    ):
        run(harness, plan)


def test_same_deployment_by_somebody_else_needs_nothing_more(harness: Harness, tree: Tree) -> None:
    """When both deployed the same version, the later run finds it done."""
    tree.commit("web: Change.", {"web/index.js": "0.3.0\n"})
    harness.release("0.3.0")
    harness.helm["production"].revisions = harness.helm["production"].revisions[:2]
    first, second = (harness.session.plan_promotion("0.3.0") for _ in range(2))
    run(harness, first)
    run(harness, second)
    assert versions_of(harness) == ["0.1.0", "0.2.0", "0.3.0"]


@pytest.mark.parametrize("running", ["1.16", "2024-10", "latest"])
def test_version_that_another_tool_named_is_replaced(harness: Harness, tree: Tree, running: str) -> None:
    """What is no semantic version is neither higher nor lower, and its hooks run."""
    last = harness.helm["staging"].revisions[-1]
    harness.helm["staging"].revisions[-1] = replace(last, app_version=running, description="Install complete")
    change_and_release(harness, tree, "0.3.0")
    assert versions_of(harness, "staging")[-1] == "0.3.0"
    assert harness.helm["staging"].hooks[-1] is True
