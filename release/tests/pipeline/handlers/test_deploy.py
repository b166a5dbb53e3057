"""Deploying: what happens when pods cannot become ready, and when an earlier run was interrupted."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from todo_release.adapters.kubernetes.client import ApiUnavailableError, Cluster
from todo_release.config.model import AnsweredBuild, HttpCheck, SmokeSettings
from todo_release.environments import restore
from todo_release.environments.drift import LiveChange
from todo_release.environments.rollout import drain, endpoints, watcher
from todo_release.environments.rollout.causes import CRASH_LOOP, RolloutFailure
from todo_release.environments.rollout.watcher import Failed, Ready, RolloutProgress, WorkloadProgress
from todo_release.errors import (
    ClusterError,
    DeclinedError,
    HelmError,
    LockedError,
    RolloutError,
    SmokeError,
)
from todo_release.pipeline.events import StepEnded
from todo_release.pipeline.handlers import verify
from todo_release.pipeline.handlers.deploy import DeployHandler
from todo_release.pipeline.handlers.verify import VerifyHandler
from todo_release.pipeline.steps import Deploy, Verify

from ...doubles.clients import OLD_POD
from ...doubles.harness import NOW, Harness, KilledError
from ...shop import Tree

SERVED = """\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: site}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: []}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}}
"""


@pytest.fixture
def harness(tree: Tree) -> Harness:
    """Returns a harness in which 0.1.0 runs everywhere and 0.2.0 is committed."""
    harness = Harness(tree.path)
    harness.release("0.1.0")
    tree.commit("web: Change.", {"web/index.js": "changed\n"})
    return harness


def save_no_evidence(cluster: Cluster, namespace: str, folder: Path) -> Path:
    """Returns the folder without saving anything."""
    return folder


def rollout_fails(apply: Callable[[Event], None], *_: object, **__: object) -> Failed:
    """Applies the version and returns a rollout whose pods crash."""
    apply(Event())
    return Failed(RolloutFailure(CRASH_LOOP, "Deployment/web", "it ended twice"), 3.0)


def test_failed_rollout_saves_evidence_restores_and_ends_with_the_code_of_the_cause(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failed revision is marked as failed before the rollback, so that no later rollback chooses it."""
    monkeypatch.setattr(watcher, "roll_out", rollout_fails)
    with pytest.raises(RolloutError, match="it ended twice") as failed:
        harness.release("0.2.0")
    assert failed.value.code == CRASH_LOOP.code
    assert failed.value.evidence == str(harness.root / ".release/0.2.0/evidence/staging")
    assert failed.value.__notes__ == ["rolled back to 0.1.0 (revision 1)"]
    assert [(revision.app_version, revision.status) for revision in harness.helm["staging"].revisions] == [
        ("0.1.0", "superseded"),
        ("0.2.0", "failed"),
        ("0.1.0", "deployed"),
    ]
    failure = harness.records("staging").read()[1]
    assert (failure.result, "it ended twice" in (failure.cause or "")) == ("failed", True)


def test_rollback_that_does_not_become_ready_is_reported(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note on the rollback says that the earlier version is not ready either."""

    def unready(*_: object, **__: object) -> Failed:
        return Failed(RolloutFailure(CRASH_LOOP, "Deployment/api", "it ended too"), 3.0)

    monkeypatch.setattr(watcher, "roll_out", rollout_fails)
    monkeypatch.setattr(watcher, "watch", unready)
    with pytest.raises(RolloutError, match="it ended twice") as failed:
        harness.release("0.2.0")
    assert failed.value.__notes__ == [
        "rolled back to 0.1.0 (revision 1), but Deployment/api: it ended too [crash-loop]."
    ]


def test_rollback_that_fails_does_not_hide_why_it_was_needed(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error keeps the cause and its exit code; the failed rollback is a note."""
    monkeypatch.setattr(watcher, "roll_out", rollout_fails)
    harness.helm["staging"].dies_in = "rollback"
    with pytest.raises(RolloutError, match="it ended twice") as failed:
        harness.release("0.2.0")
    assert failed.value.code == CRASH_LOOP.code
    (note,) = failed.value.__notes__
    assert note.startswith("the earlier version could not be restored: Helm refused to go back.")
    assert note.endswith("try `inv rollback --env staging`")
    assert harness.records("staging").read()[1].result == "failed"


def test_rollback_is_made_although_nothing_can_be_recorded(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cause stays the error; that Helm's and the engine's records could not be written is a note."""

    def refused(*_: object, **__: object) -> None:
        raise ClusterError("Kubernetes refused to replace it (403).", remedy="Give the right.")

    def fails(apply: Callable[[Event], None], *_: object, **__: object) -> Failed:
        result = rollout_fails(apply)
        monkeypatch.setattr(harness.cluster, "put_config_map", refused)
        monkeypatch.setattr(harness.helm["staging"], "mark_failed", refused)
        return result

    monkeypatch.setattr(watcher, "roll_out", fails)
    with pytest.raises(RolloutError, match="it ended twice") as failed:
        harness.release("0.2.0")
    assert failed.value.__notes__ == [
        "rolled back to 0.1.0 (revision 1); not recorded, because kubernetes refused to replace it (403)"
    ]
    assert harness.helm["staging"].revisions[-1].description == "Rollback to 1"


def test_outage_that_lasts_until_the_deadline_is_undone(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the watch gives up because the API server stays away, the earlier version is restored."""

    def away(apply: Callable[[Event], None], *_: object, **__: object) -> Failed:
        apply(Event())
        raise ApiUnavailableError("The API server is away.", remedy="Wait.")

    monkeypatch.setattr(watcher, "roll_out", away)
    with pytest.raises(ClusterError, match="is away") as failed:
        harness.release("0.2.0")
    assert failed.value.__notes__ == ["rolled back to 0.1.0 (revision 1)"]


def test_run_that_lost_its_lock_changes_nothing_more(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else releases now: neither a rollback nor a record is written."""

    def lost(apply: Callable[[Event], None], *_: object, **__: object) -> Failed:
        apply(Event())
        raise LockedError("Bob releases.", remedy="Wait.")

    monkeypatch.setattr(watcher, "roll_out", lost)
    with pytest.raises(LockedError, match="Bob releases"):
        harness.release("0.2.0")
    assert [revision.app_version for revision in harness.helm["staging"].revisions] == ["0.1.0", "0.2.0"]
    assert harness.records("staging").read()[-1].result == "deploying"


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


def test_rollback_skips_a_revision_that_helm_calls_failed(
    harness: Harness, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revision that Helm calls failed is not restored, whatever the records say."""
    harness.release("0.2.0")
    harness.helm["staging"].mark_failed("shop-staging", 2, "another revision 2")
    tree.commit("web: Change.", {"web/index.js": "changed again\n"})
    monkeypatch.setattr(watcher, "roll_out", rollout_fails)
    with pytest.raises(RolloutError) as failed:
        harness.release("0.3.0")
    assert failed.value.__notes__ == ["rolled back to 0.1.0 (revision 1)"]


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


def verify_handler(harness: Harness, smoke: SmokeSettings | None = None) -> VerifyHandler:
    """Returns a handler whose smoke checks all pass."""
    session = harness.session
    config = session.context.config.model_copy(update={"smoke": smoke or SmokeSettings()})
    return VerifyHandler(
        replace(session.context, config=config),
        lambda settings, target, say: [],
        save_no_evidence,
        session.find_deviations,
        lambda settings, digests: {},
    )


def test_verification_waits_until_services_send_to_this_version_only(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checks whose answers name their build start although an old pod still terminates."""
    harness.helm["staging"].objects = SERVED
    monkeypatch.setattr(endpoints, "POLL_SECONDS", 0.01)
    harness.cluster.terminating_reads = 9
    harness.cluster.old_endpoint_reads = 1
    harness.cluster.pods = (replace(OLD_POD, name="web-2-a", uid="uid-2", is_terminating=False),)
    build = AnsweredBuild(image="web", json="build")
    handler = verify_handler(harness, SmokeSettings(http=(HttpCheck(path="/healthz", build=build),)))
    notes: list[str] = []
    handler.do(
        Verify(environment="staging", version="0.1.0", reason=""),
        lambda text, is_note=False: notes.append(text),
    )
    assert notes == ["Service/web still sends to old pods: web-1-a"]


def test_verification_waits_until_old_pods_are_gone_where_answers_name_no_build(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ingress may send to pods that terminate, and their answers would verify the wrong version."""
    monkeypatch.setattr(drain, "POLL_SECONDS", 0.01)
    harness.cluster.terminating_reads = 3
    notes: list[str] = []
    verify_handler(harness).do(
        Verify(environment="staging", version="0.1.0", reason=""),
        lambda text, is_note=False: notes.append(text),
    )
    assert notes == ["old pods are terminating: web-1-a"]
    assert harness.cluster.terminating_reads == 0


def test_rollback_is_over_when_services_send_to_the_earlier_version(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note comes before the result of the rollback, and pods that terminate do not delay it."""
    harness.helm["staging"].objects = SERVED
    harness.cluster.old_endpoint_reads = 1
    harness.cluster.pods = (replace(OLD_POD, name="web-3-a", uid="uid-3", is_terminating=False),)
    monkeypatch.setattr(endpoints, "POLL_SECONDS", 0.01)
    notes: list[str] = []
    access = harness.session.context.connect("staging")
    harness.helm["staging"].upgrade(
        "shop-staging",
        harness.root / "chart",
        values=(),
        overlay={},
        timeout_seconds=1,
        description="0.1.0 0123456789abcdef",
        has_hooks=True,
        on_line=notes.append,
    )
    restore.restore_last_working(
        harness.session.context, access, 2, lambda text, is_note=False: notes.append(text), []
    )
    assert "Service/web still sends to old pods: web-1-a" in notes


def test_verification_refuses_another_version(harness: Harness) -> None:
    """A version that somebody deployed by hand meanwhile is neither verified nor rolled back."""
    step = Verify(environment="staging", version="0.2.0", reason="")
    handler = verify_handler(harness)
    assert handler.check(Verify(environment="staging", version="0.1.0", reason="")) == {"checks": 0}
    with pytest.raises(SmokeError, match=r"staging runs 0\.1\.0, not 0\.2\.0"):
        handler.do(step, lambda text, is_note=False: None)
    assert len(harness.helm["staging"].revisions) == 1


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


def test_failed_verification_says_what_is_wrong_with_the_pods(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the pods explain why the smoke checks fail, the error and its remedy say so."""
    crash = RolloutFailure(CRASH_LOOP, "Deployment/web", "it ended twice")
    monkeypatch.setattr(verify, "find_failure", lambda snapshot: crash)
    harness.failing_checks["https://staging.example.com"] = "503"
    with pytest.raises(SmokeError) as failed:
        harness.release("0.2.0")
    assert failed.value.problem.endswith("home: 503; Deployment/web: it ended twice [crash-loop].")
    assert "docs/runbooks/crash-loop.md" in failed.value.remedy


def test_failed_verification_restores_although_the_cluster_does_not_answer(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unreachable cluster API hides the explanation but does not prevent the rollback."""

    def away(snapshot: object) -> None:
        raise ClusterError("The API server is away.", remedy="Wait.")

    monkeypatch.setattr(verify, "find_failure", away)
    harness.failing_checks["https://staging.example.com"] = "503"
    with pytest.raises(SmokeError) as failed:
        harness.release("0.2.0")
    assert failed.value.__notes__ == ["rolled back to 0.1.0 (revision 1)"]
