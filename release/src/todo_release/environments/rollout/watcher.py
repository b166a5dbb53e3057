"""Watches a rollout until every workload is ready, or until it has failed, which is reported within seconds.

Helm runs beside the watch in a thread. A failure cancels Helm, because a hook whose image cannot be pulled
would keep Helm waiting until its timeout. `rollout.failure_detection` decides what counts as a failure.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, Workload, WorkloadRef
from todo_release.core.clock import Clock, SystemClock
from todo_release.core.masking import mask_log
from todo_release.environments.rollout.causes import CRASH_LOOP, JOB_FAILED, SIDECAR_FAILING, RolloutFailure
from todo_release.environments.rollout.failure_detection import (
    FailureDetector,
    deadline_failure,
    first_failure,
    possible_failures,
)
from todo_release.errors import ClusterError

POLL_SECONDS = 1.0
API_OUTAGE_SECONDS = 30  # how long the API server may be unreachable before the watch gives up
CAUSES_WITH_LOG = (CRASH_LOOP, JOB_FAILED, SIDECAR_FAILING)
LOG_LINES = 20
LINE_LENGTH = 300


class ClusterReader(Protocol):
    """What the watch needs of a cluster (`todo_release.adapters.kubernetes.client.Cluster`)."""

    def snapshot(self, namespace: str, refs: Sequence[WorkloadRef]) -> NamespaceSnapshot:
        """Returns the workloads, and all pods and events of the namespace."""

    def log(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 200
    ) -> str:
        """Returns the last lines of a container's log."""


@dataclass(frozen=True, slots=True)
class WorkloadProgress:
    """How far one workload is; `note` says what it waits for, empty when it is ready."""

    name: str
    ready: int
    desired: int
    note: str


@dataclass(frozen=True, slots=True)
class RolloutProgress:
    """How far the rollout is after `seconds`."""

    seconds: float
    workloads: tuple[WorkloadProgress, ...]

    def __str__(self) -> str:
        """Returns `4/5 ready; shop-web 0/1 web: ContainerCreating`."""
        waiting = [
            workload for workload in self.workloads if workload.ready < workload.desired or workload.note
        ]
        ready = len(self.workloads) - len(waiting)
        parts = [
            f"{workload.name} {workload.ready}/{workload.desired} {workload.note or ''}".rstrip()
            for workload in waiting
        ]
        return f"{ready}/{len(self.workloads)} ready" + (f"; {', '.join(parts)}" if parts else "")


@dataclass(frozen=True, slots=True)
class Ready:
    """Every workload runs its newest template and is available."""

    is_ready: ClassVar[bool] = True
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The rollout cannot finish, or did not finish before its deadline."""

    is_ready: ClassVar[bool] = False
    failure: RolloutFailure
    seconds: float


OnProgress = Callable[[RolloutProgress], None]


def watch(
    cluster: ClusterReader,
    namespace: str,
    workloads: Sequence[WorkloadRef],
    *,
    deadline_seconds: float,
    on_progress: OnProgress,
    clock: Clock | None = None,
) -> Ready | Failed:
    """Waits until workloads that are applied already are ready, or until the rollout has failed.

    Raises:
        ClusterError: The API server was unreachable for longer than `API_OUTAGE_SECONDS`.
    """
    watcher = _Watcher(
        cluster,
        namespace,
        workloads,
        deadline_seconds=deadline_seconds,
        on_progress=on_progress,
        clock=clock or SystemClock(),
    )
    return watcher.run()


def roll_out(
    apply: Callable[[threading.Event], None],
    cluster: ClusterReader,
    namespace: str,
    workloads: Sequence[WorkloadRef],
    *,
    deadline_seconds: float,
    on_progress: OnProgress,
    clock: Clock | None = None,
) -> Ready | Failed:
    """Runs `apply` (a Helm upgrade) and watches beside it.

    On a failure it sets the event that `apply` was given, and waits until `apply` ends.

    Raises:
        HelmError: `apply` failed and no failure in the cluster explains it.
        ClusterError: As in `watch`.
    """
    watcher = _Watcher(
        cluster,
        namespace,
        workloads,
        deadline_seconds=deadline_seconds,
        on_progress=on_progress,
        clock=clock or SystemClock(),
    )
    cancel = threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="helm") as pool:
        work = pool.submit(apply, cancel)
        try:
            while not work.done():
                failed = watcher.poll(is_applied=False)
                if failed:
                    return failed
                wait([work], timeout=POLL_SECONDS)
        finally:
            cancel.set()
    if work.exception():
        # Helm reports that a hook failed, the cluster why it did.
        failed = watcher.poll(is_applied=False)
        if failed:
            return failed
    work.result()
    return watcher.run()


class _Watcher:
    """The state of one watch: its start, the snapshot before the change, and the possible failures so far."""

    def __init__(
        self,
        cluster: ClusterReader,
        namespace: str,
        workloads: Sequence[WorkloadRef],
        *,
        deadline_seconds: float,
        on_progress: OnProgress,
        clock: Clock,
    ) -> None:
        """Takes the snapshot before the change."""
        self._cluster = cluster
        self._namespace = namespace
        self._workloads = workloads
        self._deadline_seconds = deadline_seconds
        self._on_progress = on_progress
        self._clock = clock
        self._detector = FailureDetector()
        self._shown: tuple[WorkloadProgress, ...] = ()
        self._started = clock.now()
        self._before = self._snapshot()

    def run(self) -> Ready | Failed:
        """Polls until everything is ready or the rollout has failed; call it when everything is applied."""
        while True:
            result = self.poll(is_applied=True)
            if result:
                return result
            self._clock.sleep(POLL_SECONDS)

    def poll(self, *, is_applied: bool) -> Ready | Failed | None:
        """Takes one snapshot; returns None while the rollout goes on. Only what is applied can be ready."""
        snapshot = self._snapshot()
        seconds = self._seconds()
        failures = possible_failures(snapshot, self._before, is_applied=is_applied)
        failure = self._detector.detect(failures, seconds)
        if failure is None and is_applied and self._is_ready(snapshot):
            return Ready(seconds)
        if failure is None and seconds > self._deadline_seconds:
            failure = first_failure(failures) or deadline_failure(snapshot)
        if failure:
            return Failed(self._with_last_log_line(failure), seconds)
        self._show(snapshot, seconds)
        return None

    def _seconds(self) -> float:
        return self._clock.now() - self._started

    def _snapshot(self) -> NamespaceSnapshot:
        """Takes a snapshot; a short outage of the API server does not end a release."""
        asked_at = self._seconds()
        while True:
            try:
                return self._cluster.snapshot(self._namespace, self._workloads)
            except ClusterError:
                if self._seconds() - asked_at > API_OUTAGE_SECONDS:
                    raise
                self._clock.sleep(POLL_SECONDS)

    def _is_ready(self, snapshot: NamespaceSnapshot) -> bool:
        """Returns True when all workloads exist and are ready.

        Helm has waited for its hooks, and a Job may delete itself when it is done.
        """
        return all(
            snapshot.workloads[ref].is_ready if ref in snapshot.workloads else ref.kind == "Job"
            for ref in self._workloads
            if not ref.is_hook
        )

    def _show(self, snapshot: NamespaceSnapshot, seconds: float) -> None:
        shown = tuple(
            WorkloadProgress(
                workload.ref.name,
                min(workload.available, workload.desired),
                workload.desired,
                _note(snapshot, workload),
            )
            for workload in snapshot.workloads.values()
        )
        if shown != self._shown:
            self._shown = shown
            self._on_progress(RolloutProgress(seconds, shown))

    def _with_last_log_line(self, failure: RolloutFailure) -> RolloutFailure:
        """Adds the last log line of the failed container, because it is most often the reason itself."""
        if failure.cause not in CAUSES_WITH_LOG or not failure.container:
            return failure
        line = self._last_line(failure, previous=False) or self._last_line(failure, previous=True)
        return replace(failure, message=f"{failure.message}; its last line: {line!r}") if line else failure

    def _last_line(self, failure: RolloutFailure, *, previous: bool) -> str:
        try:
            log = self._cluster.log(
                self._namespace, failure.pod, failure.container, previous=previous, lines=LOG_LINES
            )
        except ClusterError:
            return ""
        lines = mask_log(log).split("\n")
        return next((line.strip()[:LINE_LENGTH] for line in reversed(lines) if line.strip()), "")


def _note(snapshot: NamespaceSnapshot, workload: Workload) -> str:
    """Returns what a workload waits for, in a few words; empty when it is ready."""
    if workload.is_ready:
        return ""
    if not workload.is_observed:
        return "waiting for its controller"
    pods = snapshot.pods_of(workload)
    for pod in pods:
        for container in pod.containers:
            if container.state.reason:
                return f"{container.name}: {container.state.reason}"
    if any(not pod.is_ready for pod in pods):
        return "starting"
    if workload.total > workload.updated:
        return "old pods are terminating"
    return "waiting for pods"
