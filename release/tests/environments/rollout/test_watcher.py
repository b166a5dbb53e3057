"""Tests the watch of a rollout: when it ends, with which result, and which progress it reports."""

import threading
from collections.abc import Callable

import pytest

from todo_release.adapters.kubernetes.manifest import workloads_of
from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, WorkloadRef
from todo_release.core.clock import SystemClock
from todo_release.environments.rollout import causes
from todo_release.environments.rollout.watcher import Failed, Ready, RolloutProgress, roll_out, watch
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
OUTAGE = ClusterError("the API server is unreachable", remedy="wait")

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


def watch_result(
    cluster: FakeCluster, *refs: WorkloadRef, deadline_seconds: float = 60
) -> tuple[Ready | Failed, list[RolloutProgress]]:
    """Returns the result of a watch and the progress it reported."""
    reported: list[RolloutProgress] = []
    result = watch(
        cluster,
        "staging",
        refs or (WEB,),
        deadline_seconds=deadline_seconds,
        on_progress=reported.append,
        clock=FakeClock(),
    )
    return result, reported


def test_workloads_of_marks_hooks_and_leaves_out_test_hooks() -> None:
    """Test hooks, empty documents and other kinds are not workloads of a rollout."""
    workloads = workloads_of(MANIFEST)
    assert workloads == [WEB, MIGRATE, CACHE]
    assert [workload.is_hook for workload in workloads] == [False, True, False]


def test_watch_ends_when_everything_is_ready() -> None:
    """The seconds are counted from the start, and every change of progress is reported once."""
    old_left = snapshot(
        deployment(updated=1, available=1, total=2), pods=[pod(container(ready=True), ready=True)]
    )
    result, reported = watch_result(FakeCluster(BEFORE, STARTING, STARTING, old_left, DONE))
    assert result == Ready(3.0)
    assert [
        (progress.seconds, progress.workloads[0].ready, progress.workloads[0].note) for progress in reported
    ] == [
        (0.0, 0, "web: ContainerCreating"),
        (2.0, 1, "old pods are terminating"),
    ]


@pytest.mark.parametrize(
    ("state", "note"),
    [
        (snapshot(deployment(observed=1)), "waiting for its controller"),
        (snapshot(deployment(), pods=[pod(container(running=True))]), "starting"),
        (snapshot(deployment(updated=0, total=0)), "waiting for pods"),
        (snapshot(deployment(updated=1, available=1, total=1)), ""),
    ],
)
def test_progress_says_what_a_workload_waits_for(state: NamespaceSnapshot, note: str) -> None:
    """The note has the most specific state that the pods show."""
    absent = WorkloadRef("Deployment", "other")
    _, reported = watch_result(FakeCluster(state), WEB, absent, deadline_seconds=1)
    assert reported[0].workloads[0].note == note


def test_watch_ends_at_the_first_snapshot_with_a_failure() -> None:
    """A failure without a grace ends the watch within seconds and not at the deadline."""
    result, _ = watch_result(FakeCluster(BEFORE, STARTING, IMAGELESS))
    assert isinstance(result, Failed)
    assert (result.failure.cause, result.seconds) == (causes.IMAGE_MISSING, 1.0)


def test_workload_that_does_not_exist_is_not_ready() -> None:
    """Every workload of the chart must exist, except hooks and a Job, which may delete itself."""
    result, _ = watch_result(FakeCluster(DONE), WEB, CACHE, deadline_seconds=3)
    assert isinstance(result, Failed)
    gone = WorkloadRef("Job", "seed")
    assert watch_result(FakeCluster(DONE), WEB, MIGRATE, gone)[0] == Ready(0.0)


def test_watch_reports_a_possible_failure_at_the_deadline() -> None:
    """A possible failure within its grace says more than that the deadline has passed."""
    slow = snapshot(deployment(), pods=[pod(container(waiting="ErrImagePull", message="i/o timeout"))])
    result, _ = watch_result(FakeCluster(slow), deadline_seconds=5)
    assert isinstance(result, Failed)
    assert (result.failure.cause, result.seconds) == (causes.IMAGE_UNREACHABLE, 6.0)
    unexplained, _ = watch_result(FakeCluster(snapshot(deployment())), deadline_seconds=5)
    assert isinstance(unexplained, Failed)
    assert unexplained.failure.cause is causes.DEADLINE


def test_short_api_outage_does_not_end_the_watch() -> None:
    """A lost connection is not a failed release."""
    assert watch_result(FakeCluster(BEFORE, OUTAGE, OUTAGE, DONE))[0] == Ready(2.0)


def test_long_api_outage_ends_the_watch() -> None:
    """After half a minute without the API server, the watch gives up."""
    with pytest.raises(ClusterError, match="unreachable"):
        watch_result(FakeCluster(BEFORE, *[OUTAGE] * 40))


CRASHED = snapshot(deployment(), pods=[pod(container(waiting="CrashLoopBackOff", restarts=1))])


def test_failure_has_the_last_log_line_of_the_crashed_container() -> None:
    """The last log line is in the message, with secrets masked."""
    logs = {("web-2-a/web", False): "start\nno route to postgres://todo:hunter2@db/todo\n\n"}
    result, _ = watch_result(FakeCluster(CRASHED, logs=logs))
    assert isinstance(result, Failed)
    assert result.failure.message.endswith(
        "2 times; its last line: 'no route to postgres://todo:*****@db/todo'"
    )


def test_failure_has_the_log_of_the_previous_run_when_this_one_is_empty() -> None:
    """A container that was restarted just now has no log yet."""
    logs = {("web-2-a/web", False): " \n", ("web-2-a/web", True): "boom"}
    result, _ = watch_result(FakeCluster(CRASHED, logs=logs))
    assert isinstance(result, Failed)
    assert result.failure.message.endswith("its last line: 'boom'")


def test_failure_is_reported_without_a_log() -> None:
    """A log that cannot be read does not hide the failure."""
    result, _ = watch_result(FakeCluster(CRASHED))
    assert isinstance(result, Failed)
    assert result.failure.message == "container web of pod web-2-a ended 2 times"


def roll_out_result(
    cluster: FakeCluster,
    apply: Callable[[threading.Event], None],
    on_progress: Callable[[RolloutProgress], None] = lambda _progress: None,
) -> Ready | Failed:
    """Returns the result of a rollout whose change is made by `apply`."""
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
    """While Helm still runs, what is ready is the old version."""
    was_polled = threading.Event()
    applied: list[bool] = []

    def helm(_cancel: threading.Event) -> None:
        applied.append(was_polled.wait(30))

    result = roll_out_result(FakeCluster(BEFORE, DONE), helm, lambda _progress: was_polled.set())
    assert isinstance(result, Ready)
    assert applied == [True]


def test_failure_cancels_a_helm_that_waits_for_its_hook() -> None:
    """Helm would wait until its own timeout for a hook whose image is missing."""
    hookless = snapshot(
        deployment(generation=1, observed=1, updated=1, available=1, total=1),
        job(),
        pods=[pod(container("migrate", waiting="InvalidImageName"), name="migrate-x", owner="uid-migrate")],
    )
    ended: list[bool] = []

    def helm(cancel: threading.Event) -> None:
        ended.append(cancel.wait(30))
        raise HelmError("cancelled", remedy="none")

    result = roll_out_result(FakeCluster(BEFORE, hookless), helm)
    assert isinstance(result, Failed)
    assert (result.failure.workload, result.failure.cause) == ("Job/migrate", causes.IMAGE_MISSING)
    assert ended == [True]


def failing(cancel: threading.Event) -> None:
    """Fails as a Helm that refuses."""
    raise HelmError("field is immutable", remedy="none")


def test_failed_helm_is_explained_by_the_cluster() -> None:
    """Helm reports that a hook failed, and the Job why it did."""
    failed = snapshot(job(condition("Failed", reason="BackoffLimitExceeded", message="limit")))
    result = roll_out_result(FakeCluster(BEFORE, failed), failing)
    assert isinstance(result, Failed)
    assert result.failure.cause is causes.JOB_FAILED


def test_failed_helm_without_an_explanation_is_raised() -> None:
    """When the cluster shows no failure, Helm's own error is raised."""
    with pytest.raises(HelmError, match="field is immutable"):
        roll_out_result(FakeCluster(BEFORE), failing)


def test_system_clock_is_monotonic() -> None:
    """Time passes during a sleep."""
    clock = SystemClock()
    before = clock.now()
    clock.sleep(0.001)
    assert clock.now() > before


def test_watch_of_a_chart_without_workloads_is_ready() -> None:
    """A chart may have no workloads besides hooks."""
    assert watch_result(FakeCluster(NOTHING), MIGRATE)[0] == Ready(0.0)
