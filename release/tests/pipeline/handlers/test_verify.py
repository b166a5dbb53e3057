"""The verification step: what it waits for, what it compares, and what it undoes."""

from dataclasses import replace

import pytest

from todo_release.config.model import AnsweredBuild, HttpCheck, SmokeSettings
from todo_release.environments.rollout import drain, endpoints
from todo_release.environments.rollout.causes import CRASH_LOOP, RolloutFailure
from todo_release.errors import (
    ClusterError,
    SmokeError,
)
from todo_release.pipeline.handlers import verify
from todo_release.pipeline.handlers.verify import VerifyHandler
from todo_release.pipeline.steps import Verify

from ...doubles.clients import OLD_POD
from ...doubles.harness import Harness
from .deployed_shop import SERVED, save_no_evidence


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


def test_verification_refuses_another_version(harness: Harness) -> None:
    """A version that somebody deployed by hand meanwhile is neither verified nor rolled back."""
    step = Verify(environment="staging", version="0.2.0", reason="")
    handler = verify_handler(harness)
    assert handler.check(Verify(environment="staging", version="0.1.0", reason="")) == {"checks": 0}
    with pytest.raises(SmokeError, match=r"staging runs 0\.1\.0, not 0\.2\.0"):
        handler.do(step, lambda text, is_note=False: None)
    assert len(harness.helm["staging"].revisions) == 1


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
