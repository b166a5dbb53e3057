"""An environment in trouble."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from todo_release import commands
from todo_release import session as sessions
from todo_release.adapters.kubernetes.objects import Snapshot, WorkloadRef, parse_snapshot
from todo_release.environments.diagnosis import summary
from todo_release.environments.rollout.causes import CRASH_LOOP
from todo_release.errors import ClusterError
from todo_release.session import Options

from ...doubles.world import World
from ...shop import Tree


def crashing(refs: list[WorkloadRef]) -> Snapshot:
    """The Deployment of web with one pod that ended twice."""
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
def world(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> World:
    """0.1.0 was verified; then its web began to crash."""
    made = World(tree.path)
    made.release("0.1.0")
    cluster = made.cluster
    monkeypatch.setattr(cluster, "snapshot", lambda namespace, refs: crashing(list(refs)))
    monkeypatch.setattr(
        cluster,
        "log",
        lambda namespace, pod, container, lines: "started\npassword=hunter2\n",
        raising=False,
    )
    return made


def test_diagnosis_names_one_cause_and_keeps_the_evidence(world: World) -> None:
    """The workloads, where each stands, and the error that a release would have ended with."""
    found = summary.diagnose(world.session.context, "staging", world.session.collect_evidence)
    assert found.workloads.rows == (("Deployment/shop-staging-web", "0/1", "web-1: web CrashLoopBackOff"),)
    assert found.evidence == world.root / ".release/evidence/staging"
    assert found.error is not None
    assert found.error.code == CRASH_LOOP.code


def test_diagnosis_of_a_healthy_environment_has_no_error(tree: Tree) -> None:
    """Nothing is wrong."""
    world = World(tree.path)
    world.release("0.1.0")
    found = summary.diagnose(world.session.context, "staging", world.session.collect_evidence)
    assert (found.error, found.workloads.rows[0][1:]) == (None, ("1/1", ""))


def test_logs_name_pod_and_container_and_mask_secrets(world: World) -> None:
    """One line each, as a person would grep them."""
    lines = list(summary.logs(world.session.context, "staging", "web"))
    assert lines == ["web-1 web | started", "web-1 web | password=*****"]


def test_logs_of_an_unknown_service_name_the_known_ones(world: World) -> None:
    """Workloads are called by the release and the service."""
    with pytest.raises(ClusterError, match="There are: shop-staging-web"):
        list(summary.logs(world.session.context, "staging", "api"))


def test_commands_end_with_the_causes_code(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script can tell a crash from a missing image."""

    @contextmanager
    def session(root: object, options: Options, reporter: object):  # type: ignore[no-untyped-def]
        yield replace(world.session, reporter=reporter)

    monkeypatch.setattr(sessions, "open_session", session)
    options = Options(output="lines", environ={})
    assert commands.diagnose(world.root, "staging", options) == CRASH_LOOP.code
    assert "[crash-loop]" in capsys.readouterr().out
    assert commands.logs(world.root, "staging", options, service="web") == 0
    assert "web-1 web | started" in capsys.readouterr().out
