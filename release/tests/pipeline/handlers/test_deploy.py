"""Deploying: what happens when the pods cannot become ready, and when an earlier run was cut off."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from todo_release.adapters.kubernetes.client import Cluster
from todo_release.environments.drift import Edit
from todo_release.environments.rollout import watcher
from todo_release.environments.rollout.causes import CRASH_LOOP, RolloutFailure
from todo_release.environments.rollout.watcher import Failed, Progress, Ready, WorkloadProgress
from todo_release.errors import ClusterError, DeclinedError, RolloutError, SmokeError
from todo_release.pipeline.events import StepEnded
from todo_release.pipeline.handlers import verify
from todo_release.pipeline.handlers.deploy import DeployHandler
from todo_release.pipeline.handlers.verify import VerifyHandler
from todo_release.pipeline.steps import Deploy, Verify

from ...doubles.world import NOW, KilledError, World
from ...shop import Tree


@pytest.fixture
def world(tree: Tree) -> World:
    """0.1.0 runs everywhere; 0.2.0 is committed."""
    made = World(tree.path)
    made.release("0.1.0")
    tree.commit("web: Change.", {"web/index.js": "changed\n"})
    return made


def keep(cluster: Cluster, namespace: str, folder: Path) -> Path:
    """Keep no evidence."""
    return folder


def rollout_fails(apply: Callable[[Event], None], *_: object, **__: object) -> Failed:
    """A rollout whose pods crash."""
    apply(Event())
    return Failed(RolloutFailure(CRASH_LOOP, "Deployment/web", "it ended twice"), 3.0)


def test_doom_keeps_evidence_restores_and_ends_with_the_causes_code(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The revision is marked failed before the rollback, so that nobody goes back to it."""
    monkeypatch.setattr(watcher, "roll_out", rollout_fails)
    with pytest.raises(RolloutError, match="it ended twice") as failed:
        world.release("0.2.0")
    assert failed.value.code == CRASH_LOOP.code
    assert failed.value.evidence == str(world.root / ".release/0.2.0/evidence/staging")
    assert failed.value.__notes__ == ["rolled back to 0.1.0 (revision 1)"]
    assert [(one.app_version, one.status) for one in world.helm["staging"].revisions] == [
        ("0.1.0", "superseded"),
        ("0.2.0", "failed"),
        ("0.1.0", "deployed"),
    ]
    failure = world.records("staging").read()[1]
    assert (failure.result, "it ended twice" in (failure.cause or "")) == ("failed", True)


def test_rollback_that_does_not_become_ready_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Applied is not running: a person must know that the earlier version does not serve either."""

    def unready(*_: object, **__: object) -> Failed:
        return Failed(RolloutFailure(CRASH_LOOP, "Deployment/api", "it ended too"), 3.0)

    monkeypatch.setattr(watcher, "roll_out", rollout_fails)
    monkeypatch.setattr(watcher, "watch", unready)
    with pytest.raises(RolloutError, match="it ended twice") as failed:
        world.release("0.2.0")
    assert failed.value.__notes__ == [
        "rolled back to 0.1.0 (revision 1), but Deployment/api: it ended too [crash-loop]."
    ]


def test_rollback_that_fails_does_not_hide_why_it_was_needed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cause keeps its exit code and is recorded; what went wrong afterwards is a note."""
    monkeypatch.setattr(watcher, "roll_out", rollout_fails)
    world.helm["staging"].dies_in = "rollback"
    with pytest.raises(RolloutError, match="it ended twice") as failed:
        world.release("0.2.0")
    assert failed.value.code == CRASH_LOOP.code
    assert failed.value.__notes__ == [
        "the earlier version could not be restored: Helm refused to go back. Look."
    ]
    assert world.records("staging").read()[1].result == "failed"


def test_nobody_goes_back_to_a_revision_that_helm_calls_failed(
    world: World, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an uninstall by hand Helm counts from 1 again, while the records tell of older revisions."""
    world.release("0.2.0")
    world.helm["staging"].mark_failed("shop-staging", 2, "another revision 2")
    tree.commit("web: Change.", {"web/index.js": "changed again\n"})
    monkeypatch.setattr(watcher, "roll_out", rollout_fails)
    with pytest.raises(RolloutError) as failed:
        world.release("0.3.0")
    assert failed.value.__notes__ == ["rolled back to 0.1.0 (revision 1)"]


def test_run_killed_while_it_watched_is_watched_on_and_not_deployed_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Helm had applied everything; another revision would only start the pods anew."""

    def killed(apply: Callable[[Event], None], *_: object, **__: object) -> Ready:
        apply(Event())
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(watcher, "roll_out", killed)
        with pytest.raises(KilledError):
            world.release("0.2.0")
    world.cluster.is_ready = False
    session = world.session
    plan = session.release("0.2.0")
    assert "has these values but is not ready" in next(
        one.reason for one in plan.steps if one.id == "deploy:staging"
    )
    world.cluster.is_ready = True
    session.run(plan, world.events.append)
    assert [one.app_version for one in world.helm["staging"].revisions] == ["0.1.0", "0.2.0"]
    assert world.records("staging").read()[1].result == "verified"


def test_version_that_is_ready_no_more_is_applied_again(world: World) -> None:
    """Somebody set another image by hand: watching would only find what they did, and blame the version."""
    world.release("0.2.0")
    handler = DeployHandler(world.session.context, keep, lambda *_: None, lambda _: (), lambda _: False)
    handler.do(Deploy(environment="staging", version="0.2.0", reason=""), lambda text, is_note=False: None)
    assert [one.app_version for one in world.helm["staging"].revisions] == ["0.1.0", "0.2.0", "0.2.0"]


def test_progress_says_how_many_are_ready_and_what_the_others_wait_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that fits beside the step."""

    def slow(
        apply: Callable[[Event], None], *_: object, on_progress: Callable[[Progress], None], **__: Any
    ) -> Ready:
        apply(Event())
        waiting = WorkloadProgress("web", 0, 2, "web: ContainerCreating")
        on_progress(Progress(1.0, (waiting, WorkloadProgress("api", 1, 1, ""))))
        on_progress(Progress(2.0, (WorkloadProgress("api", 1, 1, ""),)))
        return Ready(2.0)

    monkeypatch.setattr(watcher, "roll_out", slow)
    world.release("0.2.0")
    notes = [event.text for event in world.events if getattr(event, "is_note", False)]
    assert "1/2 ready; web 0/2 web: ContainerCreating" in notes
    assert "1/1 ready" in notes


@pytest.mark.parametrize(("note", "seconds"), [("", 6.2), ("old pods are going", 8.0)])
def test_deployment_knows_when_each_workload_came_to_be_ready(
    world: World, monkeypatch: pytest.MonkeyPatch, note: str, seconds: float
) -> None:
    """What ran before the hooks were done is not what was waited for; at the end everything is ready."""
    web = "shop-staging-web"

    def rolled(
        apply: Callable[[Event], None], *_: object, on_progress: Callable[[Progress], None], **__: Any
    ) -> Ready:
        apply(Event())
        old, going = WorkloadProgress(web, 1, 1, ""), WorkloadProgress(web, 0, 1, "web: starting")
        last = WorkloadProgress(web, 1, 1, note)
        for at, seen in ((0.5, old), (2.0, going), (6.24, last), (7.9, last)):
            on_progress(Progress(at, (seen,)))
        return Ready(8.0)

    monkeypatch.setattr(watcher, "roll_out", rolled)
    world.release("0.2.0")
    ended = [event for event in world.events if isinstance(event, StepEnded)]
    outcomes = {event.step.id: event.outcome for event in ended}
    assert outcomes["deploy:staging"]["ready_after"] == {web: seconds}


def test_first_deployment_that_is_killed_before_helm_began_leaves_no_trace(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record of a revision that never came is written over by the next run."""
    world = World(tree.path)

    def killed(*_: object, **__: object) -> Ready:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(watcher, "roll_out", killed)
        with pytest.raises(KilledError):
            world.release("0.1.0")
    assert [one.result for one in world.records("staging").read()] == ["deploying"]
    world.release("0.1.0")
    assert [one.result for one in world.records("staging").read()] == ["verified"]


def test_verification_waits_until_only_this_version_answers(world: World) -> None:
    """An old pod that still serves would answer the checks in place of the new one."""
    world.cluster.leaving = 2  # `running_in` looks once
    run_smoke = VerifyHandler(world.session.context, lambda spec, url, say: [], keep)
    said: list[str] = []
    run_smoke.do(
        Verify(environment="staging", version="0.1.0", reason=""),
        lambda text, is_note=False: said.append(text),
    )
    assert said == ["old pods are going: web-1-a"]


def test_verification_refuses_to_judge_another_version(world: World) -> None:
    """Somebody deployed by hand between the two steps; their work is not undone."""
    step = Verify(environment="staging", version="0.2.0", reason="")
    run_smoke = VerifyHandler(world.session.context, lambda spec, url, say: [], keep)
    assert run_smoke.check(Verify(environment="staging", version="0.1.0", reason="")) == {"checks": 0}
    with pytest.raises(SmokeError, match=r"staging runs 0\.1\.0, not 0\.2\.0"):
        run_smoke.do(step, lambda text, is_note=False: None)
    assert len(world.helm["staging"].revisions) == 1


EDIT = Edit(
    "Deployment/shop-staging-web", "spec.replicas", "2", "5", "kubectl-scale", NOW - timedelta(days=2)
)


def test_edits_by_hand_are_overwritten_only_when_somebody_agrees(world: World) -> None:
    """The person is told who changed what, and where it would have to stand to stay."""
    world.edits, world.answer = (EDIT,), False
    with pytest.raises(DeclinedError, match=r"is 5 and not 2: kubectl-scale set it 2 days ago") as declined:
        world.release("0.2.0")
    assert "inv drift --env staging" in declined.value.remedy
    assert [one.app_version for one in world.helm["staging"].revisions] == ["0.1.0"]
    world.answer = True
    assert "deploy:staging" in world.release("0.2.0")


def test_failed_verification_says_what_is_wrong_with_the_pods(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that ends after it was ready fails the checks; that is not all there is to say."""
    crash = RolloutFailure(CRASH_LOOP, "Deployment/web", "it ended twice")
    monkeypatch.setattr(verify, "explain", lambda snapshot: crash)
    world.failing_checks["https://staging.example.com"] = "503"
    with pytest.raises(SmokeError) as failed:
        world.release("0.2.0")
    assert failed.value.problem.endswith("home: 503; Deployment/web: it ended twice [crash-loop].")
    assert "docs/runbooks/crash-loop.md" in failed.value.remedy


def test_cluster_that_cannot_explain_does_not_keep_a_version_from_being_taken_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The explanation is worth less than the way back."""

    def away(snapshot: object) -> None:
        raise ClusterError("The API server is away.", remedy="Wait.")

    monkeypatch.setattr(verify, "explain", away)
    world.failing_checks["https://staging.example.com"] = "503"
    with pytest.raises(SmokeError) as failed:
        world.release("0.2.0")
    assert failed.value.__notes__ == ["rolled back to 0.1.0 (revision 1)"]
