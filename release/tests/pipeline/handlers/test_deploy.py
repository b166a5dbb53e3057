"""Deploying: what happens when pods cannot become ready, and when an earlier run was interrupted."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from todo_release.adapters.kubernetes import sleep
from todo_release.environments.drift import LiveChange
from todo_release.environments.rollout import watcher
from todo_release.environments.rollout.watcher import Ready, RolloutProgress, WorkloadProgress
from todo_release.errors import (
    DeclinedError,
    HelmError,
    ReleaseError,
    StalePlanError,
)
from todo_release.pipeline.events import StepEnded
from todo_release.pipeline.handlers.deploy import DeployHandler
from todo_release.pipeline.steps import Deploy

from ...doubles.harness import NOW, Harness, KilledError
from ...shop import Tree
from .deployed_shop import save_no_evidence


def test_second_try_after_an_outage_has_a_record_of_its_own(harness: Harness) -> None:
    """Helm made a revision before the API server went away; the next try is the next revision."""
    helm = harness.helm["staging"]
    upgrade, outages = helm.upgrade, iter(["helm upgrade failed: Error: connection refused"])

    def interrupted(*arguments: Any, **named: Any) -> None:
        if outage := next(outages, None):
            helm._add("0.2.0", "pending-upgrade", named["description"])
            raise HelmError(outage, remedy="Wait.")
        upgrade(*arguments, **named)

    helm.upgrade = interrupted  # type: ignore[method-assign]  # a double
    harness.release("0.2.0")
    stored = {record.revision: record for record in harness.records("staging").read()}
    assert (stored[2].result, stored[2].cause) == ("failed", "the API server was away; tried again")
    assert (stored[3].version, stored[3].result) == ("0.2.0", "verified")


def test_version_of_another_tool_is_taken_over(tree: Tree) -> None:
    """What runs need not have a semantic version; the step says who deployed it."""
    harness = Harness(tree.path)
    helm = harness.helm["staging"]
    helm._add("2024-10", "deployed", "Install complete")
    harness.release("0.1.0")
    notes = [event.text for event in harness.events if getattr(event, "is_note", False)]
    assert "2024-10 was deployed by another tool; taken over" in notes
    assert [(record.version, record.result) for record in harness.records("staging").read()] == [
        ("2024-10", "deployed"),
        ("0.1.0", "verified"),
    ]


@pytest.mark.parametrize("is_deleted", [True, False], ids=["deleted", "by hand"])
def test_record_that_only_helm_has_comes_back_with_the_next_release(
    harness: Harness, is_deleted: bool
) -> None:
    """A deleted ConfigMap and a rollback by hand are noticed by the next command, which verifies again."""
    if is_deleted:
        harness.cluster.config_maps.clear()
    else:
        harness.release("0.2.0")
        harness.helm["staging"].rollback("shop-staging", 1, timeout_seconds=1, on_line=None)
    assert harness.records("staging").read()[-1].result == "deployed"
    harness.events.clear()
    harness.session.run(harness.session.plan_deployment("0.1.0", ["staging"]), harness.events.append)
    assert harness.done == ["verify:staging"]
    assert any("shop-staging: without a record, reconstructed" in note for note in harness.notes)
    last = harness.records("staging").read()[-1]
    assert (last.version, last.result, bool(last.deployment_id)) == ("0.1.0", "verified", True)


def test_run_killed_while_watching_continues_to_watch_without_a_new_revision(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run watches the revision that Helm has applied, and does not start the pods again."""

    def killed(apply: Callable[[Event], None], *_: object, **__: object) -> Ready:
        apply(Event())
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(watcher, "roll_out", killed)
        with pytest.raises(KilledError):
            harness.release("0.2.0")
    harness.cluster.is_ready = False
    session = harness.session
    plan = session.plan_release("0.2.0")
    assert "has these values but is not ready" in next(
        step.reason for step in plan.steps if step.id == "deploy:staging"
    )
    harness.cluster.is_ready = True
    session.run(plan, harness.events.append)
    assert [revision.app_version for revision in harness.helm["staging"].revisions] == ["0.1.0", "0.2.0"]
    assert harness.records("staging").read()[1].result == "verified"


def test_version_that_is_not_ready_any_more_is_applied_again(harness: Harness) -> None:
    """A version that was ready and then changed by hand is applied again, not only watched."""
    harness.release("0.2.0")
    handler = DeployHandler(
        harness.session.context,
        save_no_evidence,
        lambda *_: None,
        lambda _: (),
        lambda _: False,
        lambda *_: (),
    )
    step = Deploy(
        environment="staging", version="0.2.0", reason="", running_version="0.2.0", running_revision=2
    )
    handler.do(step, lambda text, is_note=False: None)
    assert [revision.app_version for revision in harness.helm["staging"].revisions] == [
        "0.1.0",
        "0.2.0",
        "0.2.0",
    ]


def test_progress_says_how_many_are_ready_and_what_the_others_wait_for(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A progress note fits on one line beside the step."""

    def slow(
        apply: Callable[[Event], None], *_: object, on_progress: Callable[[RolloutProgress], None], **__: Any
    ) -> Ready:
        apply(Event())
        waiting = WorkloadProgress("web", 0, 2, "web: ContainerCreating")
        on_progress(RolloutProgress(1.0, (waiting, WorkloadProgress("api", 1, 1, ""))))
        on_progress(RolloutProgress(2.0, (WorkloadProgress("api", 1, 1, ""),)))
        return Ready(2.0)

    monkeypatch.setattr(watcher, "roll_out", slow)
    harness.release("0.2.0")
    notes = [event.text for event in harness.events if getattr(event, "is_note", False)]
    assert "1/2 ready; web 0/2 web: ContainerCreating" in notes
    assert "1/1 ready" in notes


@pytest.mark.parametrize(("note", "seconds"), [("", 6.2), ("old pods are terminating", 8.0)])
def test_deployment_records_when_each_workload_became_ready(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, note: str, seconds: float
) -> None:
    """The time of a workload counts from its last change to ready."""
    web = "shop-staging-web"

    def rolled(
        apply: Callable[[Event], None], *_: object, on_progress: Callable[[RolloutProgress], None], **__: Any
    ) -> Ready:
        apply(Event())
        old, going = WorkloadProgress(web, 1, 1, ""), WorkloadProgress(web, 0, 1, "web: starting")
        last = WorkloadProgress(web, 1, 1, note)
        for at, seen in ((0.5, old), (2.0, going), (6.24, last), (7.9, last)):
            on_progress(RolloutProgress(at, (seen,)))
        return Ready(8.0)

    monkeypatch.setattr(watcher, "roll_out", rolled)
    harness.release("0.2.0")
    ended = [event for event in harness.events if isinstance(event, StepEnded)]
    outcomes = {event.step.id: event.outcome for event in ended}
    assert outcomes["deploy:staging"]["ready_after"] == {web: seconds}


def test_record_of_a_revision_that_never_existed_is_overwritten(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was killed before Helm started leaves a record which the next run overwrites."""
    harness = Harness(tree.path)

    def killed(*_: object, **__: object) -> Ready:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(watcher, "roll_out", killed)
        with pytest.raises(KilledError):
            harness.release("0.1.0")
    assert [record.result for record in harness.records("staging").read()] == ["deploying"]
    harness.release("0.1.0")
    assert [record.result for record in harness.records("staging").read()] == ["verified"]


EDIT = LiveChange(
    "Deployment/shop-staging-web", "spec.replicas", "2", "5", "kubectl-scale", NOW - timedelta(days=2)
)


def test_edits_by_hand_are_overwritten_only_when_somebody_agrees(harness: Harness) -> None:
    """The error says who changed what, and how to save_no_evidence or overwrite it."""
    harness.live_changes, harness.answer = (EDIT,), False
    with pytest.raises(DeclinedError, match=r"is 5 and not 2: kubectl-scale set it 2 days ago") as declined:
        harness.release("0.2.0")
    assert "inv drift --env staging" in declined.value.remedy
    assert [revision.app_version for revision in harness.helm["staging"].revisions] == ["0.1.0"]
    harness.answer = True
    assert "deploy:staging" in harness.release("0.2.0")


@pytest.mark.parametrize(("edits", "refusal"), [((), StalePlanError), ((EDIT,), DeclinedError)])
def test_sleeping_environment_is_not_woken_for_a_deployment_that_is_refused(
    harness: Harness,
    monkeypatch: pytest.MonkeyPatch,
    edits: tuple[LiveChange, ...],
    refusal: type[ReleaseError],
) -> None:
    """Another version was deployed since the plan was made, or edits by hand may not be overwritten."""
    harness.cluster.annotations = {sleep.REMEMBERED: "2"}
    monkeypatch.setattr(sleep, "wake", lambda *_: pytest.fail("it was woken"))
    plan = harness.session.plan_deployment("0.1.0", ["staging"])
    if not edits:
        harness.helm["staging"]._add("0.2.0", "deployed", "by hand")
    harness.live_changes, harness.answer = edits, False
    with pytest.raises(refusal):
        harness.session.run(plan, harness.events.append)


def test_sleeping_environment_is_woken_before_it_is_deployed_to(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it has the version already: scaled to zero, nothing would answer the smoke checks."""
    woken = []

    def wake(cluster: Any, namespace: str, release: str, kinds: object) -> dict[str, int]:
        woken.append((namespace, release))
        cluster.annotations = {}
        return {"Deployment/web": 2}

    monkeypatch.setattr(sleep, "wake", wake)
    harness.cluster.annotations = {sleep.REMEMBERED: "2"}
    harness.events.clear()
    harness.session.run(harness.session.plan_deployment("0.1.0", ["staging"]), harness.events.append)
    assert woken == [("staging", "shop-staging")]
    assert "deploy:staging" in harness.done
    told = [event.text for event in harness.events if getattr(event, "is_note", False)]
    assert "staging was asleep: woke Deployment/web" in told
