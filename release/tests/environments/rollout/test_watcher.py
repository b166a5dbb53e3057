"""Tests the watch of a rollout: when it ends, with which result, and which progress it reports."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from todo_release.adapters.kubernetes.client import ApiUnavailableError
from todo_release.adapters.kubernetes.manifest import workloads_of
from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, WorkloadRef
from todo_release.adapters.kubernetes.snapshots import parse_custom_resource
from todo_release.config.preflight import NodePools
from todo_release.core.clock import SystemClock
from todo_release.environments.rollout import causes
from todo_release.environments.rollout.patience import Patience
from todo_release.environments.rollout.watcher import Failed, Ready, RolloutProgress, roll_out, watch
from todo_release.errors import ClusterError, HelmError

from ...doubles.kubernetes_objects import (
    AGENT,
    CACHE,
    MIGRATE,
    NOTHING,
    WEB,
    condition,
    container,
    daemon_set,
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
    cluster: FakeCluster,
    *refs: WorkloadRef,
    deadline_seconds: float = 60,
    patience: Patience | None = None,
) -> tuple[Ready | Failed, list[RolloutProgress]]:
    """Returns the result of a watch and the progress it reported."""
    reported: list[RolloutProgress] = []
    result = watch(
        cluster,
        "staging",
        refs or (WEB,),
        deadline_seconds=deadline_seconds,
        on_progress=reported.append,
        patience=patience,
        clock=FakeClock(),
    )
    return result, reported


def test_workloads_of_marks_hooks_and_leaves_out_test_hooks() -> None:
    """Test hooks, empty documents and other kinds are not workloads of a rollout."""
    workloads = workloads_of(MANIFEST, "staging")
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


AWAY = ApiUnavailableError("the API server is away", remedy="wait")


def test_watch_goes_on_when_the_server_was_away_for_a_minute() -> None:
    """An upgrade of the control plane takes a minute; the watch says that it waits, and goes on."""
    result, progress = watch_result(FakeCluster(BEFORE, *[AWAY] * 60, DONE), deadline_seconds=90)
    assert result == Ready(60.0)
    assert "the API server does not answer: waited for until 90 s" in [str(shown) for shown in progress]


def test_watch_ends_at_its_deadline_when_the_server_stays_away() -> None:
    """The deadline of the rollout holds; then the caller tries to undo."""
    cluster = FakeCluster(BEFORE, *[AWAY] * 92, DONE)
    with pytest.raises(ApiUnavailableError, match="is away"):
        watch_result(cluster, deadline_seconds=90)
    assert watch_result(cluster)[0] == Ready(0.0)


def test_refusal_that_does_not_pass_ends_the_watch() -> None:
    """After half a minute of an error such as a missing right, the watch gives up."""
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
    hook_seconds: float | None = None,
    clock: FakeClock | None = None,
) -> Ready | Failed:
    """Returns the result of a rollout whose change is made by `apply`."""
    return roll_out(
        apply,
        cluster,
        "staging",
        (WEB, MIGRATE),
        deadline_seconds=60,
        on_progress=on_progress,
        hook_seconds=hook_seconds,
        clock=clock or FakeClock(),
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


NIGHTLY_BUILD = WorkloadRef("Widget", "nightly", api_version="shop.example/v1")


def widget(*conditions: dict[str, Any], generation: int = 2) -> NamespaceSnapshot:
    """Returns a snapshot with a custom resource."""
    raw = {
        "metadata": {"name": "nightly", "uid": "uid-nightly", "generation": generation},
        "status": {"conditions": list(conditions), "observedGeneration": generation},
    }
    return NamespaceSnapshot({NIGHTLY_BUILD: parse_custom_resource(NIGHTLY_BUILD, raw)}, (), ())


def test_custom_resource_is_waited_for_until_it_says_that_it_is_ready() -> None:
    """Its own conditions say what it waits for."""
    waiting = widget(condition("Ready", "False", reason="Pending", message="no volume"))
    cluster = FakeCluster(NOTHING, waiting, widget(condition("Ready")))
    result, reported = watch_result(cluster, NIGHTLY_BUILD)
    assert result == Ready(1.0)
    assert reported[0].workloads[0].note == "is not ready (Pending no volume)"
    late, _ = watch_result(FakeCluster(NOTHING, waiting), NIGHTLY_BUILD, deadline_seconds=2)
    assert isinstance(late, Failed)
    assert late.failure.message == "the deadline has passed (Widget/nightly is not ready (Pending no volume))"


def test_custom_resource_that_was_not_ready_before_is_not_waited_for() -> None:
    """A certificate that cannot be renewed is not the fault of a release that does not touch it."""
    waiting = widget(condition("Ready", "False", reason="Pending"))
    assert watch_result(FakeCluster(waiting), NIGHTLY_BUILD)[0] == Ready(0.0)
    changed = widget(condition("Ready", "False", reason="Pending"), generation=3)
    result, _ = watch_result(FakeCluster(waiting, changed), NIGHTLY_BUILD, deadline_seconds=2)
    assert isinstance(result, Failed)


def test_stalled_custom_resource_fails_before_the_deadline() -> None:
    """Its controller says that it gave up."""
    stalled = widget(condition("Stalled", reason="BadSpec", message="no such size"))
    result, _ = watch_result(FakeCluster(NOTHING, stalled), NIGHTLY_BUILD)
    assert isinstance(result, Failed)
    assert (result.failure.cause, result.seconds) == (causes.STALLED, 10)
    assert result.failure.message == "its controller reports BadSpec: no such size"


def test_suspended_job_is_done_with_a_remark() -> None:
    """Somebody, such as a queue, will resume it."""
    seed = WorkloadRef("Job", "migrate")
    suspended = job()
    suspended["spec"]["suspend"] = True
    result, reported = watch_result(FakeCluster(NOTHING, snapshot(suspended, refs=(seed,))), seed)
    assert result == Ready(0.0)
    assert str(reported[0]) == "1/1 ready; Job/migrate is suspended: it is not waited for"


def test_suspicion_is_told_before_the_rollout_fails() -> None:
    """Whoever watches can act, or sees that it recovers."""
    crashed = snapshot(
        deployment(), pods=[pod(container(waiting="CrashLoopBackOff", restarts=1), name="web-2-a")]
    )
    result, reported = watch_result(FakeCluster(BEFORE, crashed))
    assert isinstance(result, Failed)
    assert (result.failure.cause, result.seconds) == (causes.CRASH_LOOP, 8)
    assert str(reported[-1]).endswith(
        "; Deployment/web: container web of pod web-2-a ended 2 times; fails at 8 s unless it recovers"
    )


UNSCHEDULABLE = snapshot(
    deployment(),
    pods=[
        pod(
            container(),
            node="",
            scheduled=condition("PodScheduled", "False", reason="Unschedulable", message="Insufficient cpu"),
        )
    ],
)


@pytest.mark.parametrize(
    ("nodes", "taints", "seconds"),
    [(2, [], 61), (3, [], 12), (3, [{"key": "node.kubernetes.io/not-ready"}], 61), (0, [], 12)],
    ids=["may grow", "at its maximum", "at its maximum, one is starting", "no node has the label"],
)
def test_pod_without_a_node_waits_as_long_as_the_pool_may_grow(
    nodes: int, taints: list[dict[str, str]], seconds: float
) -> None:
    """Preflight and the rollout count alike."""
    cluster = FakeCluster(BEFORE, UNSCHEDULABLE, nodes=[{"spec": {"taints": taints}}] * nodes)
    patience = Patience(node_pools=NodePools(label="pool", max_nodes=3))
    result, _ = watch_result(cluster, patience=patience)
    assert isinstance(result, Failed)
    assert (result.failure.cause, result.seconds) == (causes.UNSCHEDULABLE, seconds)


def agents(*pods: dict[str, Any], available: int) -> NamespaceSnapshot:
    """Returns a DaemonSet on two nodes."""
    return snapshot(daemon_set(updated=2, available=available), pods=list(pods), refs=(AGENT,))


def agent_pod(status: dict[str, Any]) -> dict[str, Any]:
    """Returns a pod of the newest template."""
    labels = {"pod-template-generation": "2"}
    return pod(status, name="agent-b", owner="uid-agent", labels=labels)


def test_daemon_set_is_not_held_up_by_a_node_that_does_not_answer() -> None:
    """Its update strategy allows one pod to be missing; a pod that is starting is waited for."""
    silent = agents(agent_pod(container("agent")), available=1)
    result, _ = watch_result(FakeCluster(NOTHING, silent), AGENT, deadline_seconds=100)
    assert result == Ready(60.0)
    starting = agents(agent_pod(container("agent", waiting="ContainerCreating")), available=1)
    result, _ = watch_result(FakeCluster(NOTHING, starting), AGENT, deadline_seconds=100)
    assert isinstance(result, Failed)


def test_hook_that_hangs_ends_at_the_time_of_hooks() -> None:
    """The message names it."""
    clock = FakeClock()

    def hang(cancel: threading.Event) -> None:
        clock.sleep(3)
        cancel.wait(30)
        raise HelmError("cancelled", remedy="none")

    unfinished = snapshot(deployment(generation=1, observed=1, **READY), job())  # type: ignore[arg-type]  # only numbers
    result = roll_out_result(FakeCluster(BEFORE, unfinished), hang, hook_seconds=2, clock=clock)
    assert isinstance(result, Failed)
    assert result.failure.message == "the deadline has passed (Job/migrate is not done)"


def test_time_of_hooks_is_not_taken_from_the_rollout() -> None:
    """The rollout's time begins when Helm has ended."""
    clock = FakeClock()
    result = roll_out_result(FakeCluster(BEFORE, STARTING), lambda _cancel: clock.sleep(50), clock=clock)
    assert isinstance(result, Failed)
    assert result.seconds == 50 + 61
