"""Watching a rollout: when it ends, with what, and what a person sees meanwhile."""

import threading
from collections.abc import Callable

import pytest

from todo_release.adapters.kubernetes.manifest import workloads_of
from todo_release.adapters.kubernetes.objects import Snapshot, WorkloadRef
from todo_release.core.clock import SystemClock
from todo_release.environments.rollout import causes
from todo_release.environments.rollout.watcher import Failed, Progress, Ready, roll_out, watch
from todo_release.errors import ClusterError, HelmError

from ...doubles.kubernetes_objects import (
    CACHE,
    MIGRATE,
    NOTHING,
    WEB,
    condition,
    container,
    deployment,
    job,
    pod,
    snapshot,
)
from ...doubles.scripted import FakeClock, FakeCluster

READY = {"updated": 1, "available": 1, "total": 1}
BEFORE = snapshot(deployment(generation=1, observed=1, **READY))  # type: ignore[arg-type]  # only numbers
DONE = snapshot(deployment(**READY))  # type: ignore[arg-type]  # only numbers
STARTING = snapshot(deployment(), pods=[pod(container(waiting="ContainerCreating"))])
IMAGELESS = snapshot(deployment(), pods=[pod(container(waiting="InvalidImageName"))])
AWAY = ClusterError("the API server is away", remedy="wait")

MANIFEST = """\
apiVersion: v1
kind: Service
metadata: {name: web}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
---
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {"helm.sh/hook": "pre-install,pre-upgrade"}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: try, annotations: {"helm.sh/hook": test}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: cache, annotations: null}
"""


def watched(
    cluster: FakeCluster, *refs: WorkloadRef, deadline_seconds: float = 60
) -> tuple[Ready | Failed, list[Progress]]:
    """The result of a watch and the progress it showed."""
    shown: list[Progress] = []
    result = watch(
        cluster,
        "staging",
        refs or (WEB,),
        deadline_seconds=deadline_seconds,
        on_progress=shown.append,
        clock=FakeClock(),
    )
    return result, shown


def test_workloads_of_a_chart_are_found_and_hooks_marked() -> None:
    """Test hooks are not part of a rollout; empty documents and other kinds are skipped."""
    found = workloads_of(MANIFEST)
    assert found == [WEB, MIGRATE, CACHE]
    assert [one.is_hook for one in found] == [False, True, False]


def test_watch_ends_when_everything_is_ready() -> None:
    """The time it took is counted from the start, and each change is shown once."""
    old_left = snapshot(
        deployment(updated=1, available=1, total=2), pods=[pod(container(ready=True), ready=True)]
    )
    result, shown = watched(FakeCluster(BEFORE, STARTING, STARTING, old_left, DONE))
    assert result == Ready(3.0)
    assert [(one.seconds, one.workloads[0].ready, one.workloads[0].note) for one in shown] == [
        (0.0, 0, "web: ContainerCreating"),
        (2.0, 1, "old pods are going"),
    ]


@pytest.mark.parametrize(
    ("look", "note"),
    [
        (snapshot(deployment(observed=1)), "waiting for its controller"),
        (snapshot(deployment(), pods=[pod(container(running=True))]), "starting"),
        (snapshot(deployment(updated=0, total=0)), "waiting for pods"),
        (snapshot(deployment(updated=1, available=1, total=1)), ""),
    ],
)
def test_progress_says_what_a_workload_waits_for(look: Snapshot, note: str) -> None:
    """A few words, from the most telling thing its pods show."""
    never_there = WorkloadRef("Deployment", "other")
    _, shown = watched(FakeCluster(look), WEB, never_there, deadline_seconds=1)
    assert shown[0].workloads[0].note == note


def test_watch_ends_at_the_first_look_that_shows_doom() -> None:
    """Seconds, not the deadline."""
    result, _ = watched(FakeCluster(BEFORE, STARTING, IMAGELESS))
    assert isinstance(result, Failed)
    assert (result.failure.cause, result.seconds) == (causes.IMAGE_MISSING, 1.0)


def test_a_workload_that_is_not_there_is_not_ready() -> None:
    """Everything of the chart must exist, except a Job, which may delete itself, and hooks."""
    result, _ = watched(FakeCluster(DONE), WEB, CACHE, deadline_seconds=3)
    assert isinstance(result, Failed)
    gone = WorkloadRef("Job", "seed")
    assert watched(FakeCluster(DONE), WEB, MIGRATE, gone)[0] == Ready(0.0)


def test_after_the_deadline_the_likeliest_suspect_is_blamed() -> None:
    """A suspect still in its grace says more than that time is over."""
    slow = snapshot(deployment(), pods=[pod(container(waiting="ErrImagePull", message="i/o timeout"))])
    result, _ = watched(FakeCluster(slow), deadline_seconds=5)
    assert isinstance(result, Failed)
    assert (result.failure.cause, result.seconds) == (causes.IMAGE_UNREACHABLE, 6.0)
    unexplained, _ = watched(FakeCluster(snapshot(deployment())), deadline_seconds=5)
    assert isinstance(unexplained, Failed)
    assert unexplained.failure.cause is causes.DEADLINE


def test_an_api_server_that_is_away_for_a_moment_does_not_end_the_watch() -> None:
    """One reset connection is no verdict on a release."""
    assert watched(FakeCluster(BEFORE, AWAY, AWAY, DONE))[0] == Ready(2.0)


def test_an_api_server_that_stays_away_ends_the_watch() -> None:
    """After half a minute nothing is known any more."""
    with pytest.raises(ClusterError, match="away"):
        watched(FakeCluster(BEFORE, *[AWAY] * 40))


CRASHED = snapshot(deployment(), pods=[pod(container(waiting="CrashLoopBackOff", restarts=1))])


def test_the_last_line_of_a_crashed_container_is_told_with_secrets_masked() -> None:
    """Most often it is the reason itself."""
    logs = {("web-2-a/web", False): "start\nno route to postgres://todo:hunter2@db/todo\n\n"}
    result, _ = watched(FakeCluster(CRASHED, logs=logs))
    assert isinstance(result, Failed)
    assert result.failure.message.endswith(
        "2 times; its last line: 'no route to postgres://todo:*****@db/todo'"
    )


def test_the_log_of_the_run_before_is_asked_when_this_run_wrote_nothing() -> None:
    """A container that has just been restarted is silent."""
    logs = {("web-2-a/web", False): " \n", ("web-2-a/web", True): "boom"}
    result, _ = watched(FakeCluster(CRASHED, logs=logs))
    assert isinstance(result, Failed)
    assert result.failure.message.endswith("its last line: 'boom'")


def test_a_log_that_cannot_be_had_takes_nothing_from_the_doom() -> None:
    """Evidence must not replace the verdict."""
    result, _ = watched(FakeCluster(CRASHED))
    assert isinstance(result, Failed)
    assert result.failure.message == "container web of pod web-2-a ended 2 times"


def rolled_out(
    cluster: FakeCluster,
    apply: Callable[[threading.Event], None],
    on_progress: Callable[[Progress], None] = lambda _progress: None,
) -> Ready | Failed:
    """The result of a rollout whose change is made by `apply`."""
    return roll_out(
        apply,
        cluster,
        "staging",
        (WEB, MIGRATE),
        deadline_seconds=60,
        on_progress=on_progress,
        clock=FakeClock(),
    )


def test_roll_out_is_ready_only_after_the_change_was_applied() -> None:
    """What is ready while Helm still works is the old version."""
    was_looked_at = threading.Event()
    applied: list[bool] = []

    def helm(_cancel: threading.Event) -> None:
        applied.append(was_looked_at.wait(30))

    result = rolled_out(FakeCluster(BEFORE, DONE), helm, lambda _progress: was_looked_at.set())
    assert isinstance(result, Ready)
    assert applied == [True]


def test_doom_stops_a_helm_that_waits_for_its_hook() -> None:
    """A hook whose image is missing would keep Helm waiting until its own time is over."""
    hookless = snapshot(
        deployment(generation=1, observed=1, updated=1, available=1, total=1),
        job(),
        pods=[pod(container("migrate", waiting="InvalidImageName"), name="migrate-x", owner="uid-migrate")],
    )
    ended: list[bool] = []

    def helm(cancel: threading.Event) -> None:
        ended.append(cancel.wait(30))
        raise HelmError("cancelled", remedy="none")

    result = rolled_out(FakeCluster(BEFORE, hookless), helm)
    assert isinstance(result, Failed)
    assert (result.failure.object, result.failure.cause) == ("Job/migrate", causes.IMAGE_MISSING)
    assert ended == [True]


def failing(cancel: threading.Event) -> None:
    """A Helm that refuses."""
    raise HelmError("field is immutable", remedy="none")


def test_a_failed_helm_is_explained_by_what_the_cluster_shows() -> None:
    """Helm says that a hook failed; the Job says why."""
    failed = snapshot(job(condition("Failed", reason="BackoffLimitExceeded", message="limit")))
    result = rolled_out(FakeCluster(BEFORE, failed), failing)
    assert isinstance(result, Failed)
    assert result.failure.cause is causes.JOB_FAILED


def test_a_failed_helm_that_nothing_explains_is_raised_as_it_is() -> None:
    """The cluster was never changed; Helm's own words are the reason."""
    with pytest.raises(HelmError, match="field is immutable"):
        rolled_out(FakeCluster(BEFORE), failing)


def test_the_systems_clock_is_steady() -> None:
    """Sleeping lets time pass and never goes back."""
    clock = SystemClock()
    before = clock.now()
    clock.sleep(0.001)
    assert clock.now() > before


def test_an_empty_namespace_with_no_workloads_is_ready() -> None:
    """A chart may have none."""
    assert watched(FakeCluster(NOTHING), MIGRATE)[0] == Ready(0.0)
