"""Tests `inv diagnose` and `inv logs` for an environment that is not ready."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from todo_release import commands
from todo_release import session as sessions
from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, WorkloadRef
from todo_release.adapters.kubernetes.snapshots import parse_snapshot
from todo_release.environments.diagnosis import summary
from todo_release.environments.rollout.causes import CRASH_LOOP
from todo_release.errors import ClusterError
from todo_release.session import CommandOptions

from ...doubles.harness import Harness
from ...shop import Tree


def crashing(refs: list[WorkloadRef]) -> NamespaceSnapshot:
    """Returns a snapshot of the Deployment of web with one pod that ended twice."""
    (ref,) = refs
    ended = {"terminated": {"exitCode": 3, "reason": "Error"}}
    return parse_snapshot(
        refs,
        [
            {
                "kind": "Deployment",
                "metadata": {"name": ref.name, "uid": "d", "generation": 1},
                "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "web"}]}}},
                "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1},
            }
        ],
        [
            {
                "metadata": {
                    "uid": "r",
                    "ownerReferences": [{"uid": "d", "controller": True}],
                    "annotations": {"deployment.kubernetes.io/revision": "1"},
                },
                "spec": {},
            }
        ],
        [
            {
                "metadata": {
                    "name": "web-1",
                    "uid": "p",
                    "ownerReferences": [{"uid": "r", "controller": True}],
                },
                "spec": {"containers": [{"name": "web"}]},
                "status": {
                    "phase": "Running",
                    "containerStatuses": [
                        {
                            "name": "web",
                            "ready": False,
                            "restartCount": 2,
                            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                            "lastState": ended,
                        }
                    ],
                },
            }
        ],
        [],
    )


@pytest.fixture
def harness(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Harness:
    """The shop after 0.1.0 was verified and web started to crash."""
    prepared = Harness(tree.path)
    prepared.release("0.1.0")
    cluster = prepared.cluster
    monkeypatch.setattr(cluster, "snapshot", lambda namespace, refs: crashing(list(refs)))
    monkeypatch.setattr(
        cluster,
        "log",
        lambda namespace, pod, container, lines: "started\npassword=hunter2\n",
        raising=False,
    )
    return prepared


def test_diagnosis_names_one_cause_and_keeps_the_evidence(harness: Harness) -> None:
    """A diagnosis has the workloads, the evidence, and the error that a release would have ended with."""
    diagnosis = summary.diagnose(harness.session.context, "staging", harness.session.collect_evidence)
    assert diagnosis.workloads.rows == (
        ("Deployment/shop-staging-web", "0/1", "web-1: web CrashLoopBackOff"),
    )
    assert diagnosis.evidence == harness.root / ".release/evidence/staging"
    assert diagnosis.error is not None
    assert diagnosis.error.code == CRASH_LOOP.code


def test_diagnosis_of_a_healthy_environment_has_no_error(tree: Tree) -> None:
    """A healthy environment has no error and no pod to report."""
    harness = Harness(tree.path)
    harness.release("0.1.0")
    diagnosis = summary.diagnose(harness.session.context, "staging", harness.session.collect_evidence)
    assert (diagnosis.error, diagnosis.workloads.rows[0][1:]) == (None, ("1/1", ""))


def test_read_logs_names_pod_and_container_and_masks_secrets(harness: Harness) -> None:
    """Every line has the names of pod and container in front, so that a person can grep it."""
    lines = list(summary.read_logs(harness.session.context, "staging", "web"))
    assert lines == ["web-1 web | started", "web-1 web | password=*****"]


def test_read_logs_of_an_unknown_service_names_the_known_ones(harness: Harness) -> None:
    """The error lists the names of the workloads."""
    with pytest.raises(ClusterError, match="There are: shop-staging-web"):
        list(summary.read_logs(harness.session.context, "staging", "api"))


def test_diagnose_command_exits_with_the_code_of_the_cause(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script can distinguish a crash from a missing image by the exit code."""

    @contextmanager
    def session(root: object, options: CommandOptions, reporter: object):  # type: ignore[no-untyped-def]  # replaces a context manager
        yield replace(harness.session, reporter=reporter)

    monkeypatch.setattr(sessions, "open_session", session)
    options = CommandOptions(output="lines", environ={})
    assert commands.diagnose(harness.root, "staging", options) == CRASH_LOOP.code
    assert "[crash-loop]" in capsys.readouterr().out
    assert commands.logs(harness.root, "staging", options, service="web") == 0
    assert "web-1 web | started" in capsys.readouterr().out
