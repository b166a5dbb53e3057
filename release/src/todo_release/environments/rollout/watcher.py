"""Watches a rollout until every workload is ready or one never will be, and says which, within seconds.

Helm works beside it in a thread; doom cancels Helm, because a hook whose image cannot be pulled would keep it
waiting until its time is over. What is doom is decided in `rollout.failure_detection`.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

from todo_release.adapters.kubernetes.objects import Snapshot, Workload, WorkloadRef
from todo_release.core.clock import Clock, SystemClock
from todo_release.core.masking import mask_log
from todo_release.environments.rollout.causes import CRASH_LOOP, JOB_FAILED, SIDECAR_FAILING, RolloutFailure
from todo_release.environments.rollout.failure_detection import (
    FailureDetector,
    first_failure,
    overdue,
    possible_failures,
)
from todo_release.errors import ClusterError

LOOK_SECONDS = 1.0
SILENCE_SECONDS = 30  # how long the API server may be away before the watch gives up
TELLING_LOGS = (CRASH_LOOP, JOB_FAILED, SIDECAR_FAILING)
LOG_LINES = 20
LINE_LENGTH = 300


class Looks(Protocol):
    """What the watch needs of a cluster (`todo_release.adapters.kubernetes.client.Cluster`)."""

    def snapshot(self, namespace: str, refs: Sequence[WorkloadRef]) -> Snapshot:
        """One look at the workloads and all pods and events of the namespace."""

    def log(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 200
    ) -> str:
        """The last lines of a container."""


@dataclass(frozen=True, slots=True)
class WorkloadProgress:
    """How far one workload is; `note` says what its pods are doing, empty when it is ready."""

    name: str
    ready: int
    desired: int
    note: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the rollout is after `seconds`."""

    seconds: float
    workloads: tuple[WorkloadProgress, ...]

    def __str__(self) -> str:
        """`4/5 ready; todo-app-mcp 0/1 mcp: ContainerCreating`."""
        waiting = [one for one in self.workloads if one.ready < one.desired or one.note]
        ready = len(self.workloads) - len(waiting)
        parts = [f"{one.name} {one.ready}/{one.desired} {one.note or ''}".rstrip() for one in waiting]
        return f"{ready}/{len(self.workloads)} ready" + (f"; {', '.join(parts)}" if parts else "")


@dataclass(frozen=True, slots=True)
class Ready:
    """Every workload runs its newest template and is available."""

    is_ready: ClassVar[bool] = True
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The rollout cannot finish, or did not within its time."""

    is_ready: ClassVar[bool] = False
    failure: RolloutFailure
    seconds: float


OnProgress = Callable[[Progress], None]


def watch(
    cluster: Looks,
    namespace: str,
    workloads: Sequence[WorkloadRef],
    *,
    deadline_seconds: float,
    on_progress: OnProgress,
    clock: Clock | None = None,
) -> Ready | Failed:
    """Wait until workloads that are there already are ready, or doomed.

    Raises:
        ClusterError: the API server was away for longer than `SILENCE_SECONDS`.
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
    cluster: Looks,
    namespace: str,
    workloads: Sequence[WorkloadRef],
    *,
    deadline_seconds: float,
    on_progress: OnProgress,
    clock: Clock | None = None,
) -> Ready | Failed:
    """Run `apply` (a Helm upgrade) and watch beside it; doom sets the event it was given and waits for it to
    end.

    Raises:
        HelmError: `apply` failed and the cluster shows no doom that explains it.
        ClusterError: as `watch`.
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
                failed = watcher.look(is_applied=False)
                if failed:
                    return failed
                wait([work], timeout=LOOK_SECONDS)
        finally:
            cancel.set()
    if work.exception():
        # What Helm cannot say: it reports that a hook failed, the cluster why.
        failed = watcher.look(is_applied=False)
        if failed:
            return failed
    work.result()
    return watcher.run()


class _Watcher:
    """The state of one watch: since when it runs, what there was before, and what is suspected since when."""

    def __init__(
        self,
        cluster: Looks,
        namespace: str,
        workloads: Sequence[WorkloadRef],
        *,
        deadline_seconds: float,
        on_progress: OnProgress,
        clock: Clock,
    ) -> None:
        """Takes the look that says what was there before."""
        self._cluster = cluster
        self._namespace = namespace
        self._workloads = workloads
        self._deadline_seconds = deadline_seconds
        self._on_progress = on_progress
        self._clock = clock
        self._detector = FailureDetector()
        self._shown: tuple[WorkloadProgress, ...] = ()
        self._began = clock.now()
        self._before = self._snapshot()

    def run(self) -> Ready | Failed:
        """Look until everything is ready or doomed; everything has been applied."""
        while True:
            result = self.look(is_applied=True)
            if result:
                return result
            self._clock.sleep(LOOK_SECONDS)

    def look(self, *, is_applied: bool) -> Ready | Failed | None:
        """Look once: what came out, or None while there is hope. Nothing is ready before it is applied."""
        snapshot = self._snapshot()
        seconds = self._seconds()
        found = possible_failures(snapshot, self._before, is_applied=is_applied)
        failure = self._detector.verdict(found, seconds)
        if failure is None and is_applied and self._is_ready(snapshot):
            return Ready(seconds)
        if failure is None and seconds > self._deadline_seconds:
            failure = first_failure(found) or overdue(snapshot)
        if failure:
            return Failed(self._with_last_words(failure), seconds)
        self._show(snapshot, seconds)
        return None

    def _seconds(self) -> float:
        return self._clock.now() - self._began

    def _snapshot(self) -> Snapshot:
        """One look; an API server that is away for a moment does not end a release."""
        away_since = self._seconds()
        while True:
            try:
                return self._cluster.snapshot(self._namespace, self._workloads)
            except ClusterError:
                if self._seconds() - away_since > SILENCE_SECONDS:
                    raise
                self._clock.sleep(LOOK_SECONDS)

    def _is_ready(self, snapshot: Snapshot) -> bool:
        """Helm waited for its hooks, and a Job may delete itself when done; all others must be there."""
        return all(
            snapshot.workloads[ref].is_ready if ref in snapshot.workloads else ref.kind == "Job"
            for ref in self._workloads
            if not ref.is_hook
        )

    def _show(self, snapshot: Snapshot, seconds: float) -> None:
        shown = tuple(
            WorkloadProgress(one.ref.name, min(one.available, one.desired), one.desired, _note(snapshot, one))
            for one in snapshot.workloads.values()
        )
        if shown != self._shown:
            self._shown = shown
            self._on_progress(Progress(seconds, shown))

    def _with_last_words(self, failure: RolloutFailure) -> RolloutFailure:
        """What a container wrote last is most often the reason itself."""
        if failure.cause not in TELLING_LOGS or not failure.container:
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


def _note(snapshot: Snapshot, workload: Workload) -> str:
    """What a workload is waiting for, in a few words; empty when it is ready."""
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
        return "old pods are going"
    return "waiting for pods"
