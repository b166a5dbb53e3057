"""Watches a rollout until every workload is ready, or until it has failed, which is reported within seconds.

Helm runs beside the watch in a thread. A failure cancels Helm, because a hook whose image cannot be pulled
would keep Helm waiting until its timeout. `rollout.failure_detection` decides what counts as a failure.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Protocol

from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, Pod, Workload, WorkloadRef
from todo_release.adapters.kubernetes.retry import is_transient
from todo_release.core.clock import Clock, SystemClock
from todo_release.core.masking import mask_log
from todo_release.environments.rollout.causes import (
    CRASH_LOOP,
    JOB_FAILED,
    SIDECAR_FAILING,
    UNSCHEDULABLE,
    RolloutFailure,
)
from todo_release.environments.rollout.failure_detection import (
    FailureDetector,
    deadline_failure,
    first_failure,
    possible_failures,
    waiting_for,
)
from todo_release.environments.rollout.patience import Patience, may_grow
from todo_release.errors import ClusterError

POLL_SECONDS = 1.0
API_OUTAGE_SECONDS = 30  # how long the API server may fail, also in ways that do not pass by themselves
TOLD_OUTAGE_SECONDS = 5
UNAVAILABLE_SECONDS = 60  # how long pods that a DaemonSet may be without are waited for
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

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Any]:
        """Returns the items of a list."""


@dataclass(frozen=True, slots=True)
class WorkloadProgress:
    """How far one workload is; `note` says what it waits for, empty when it is ready."""

    name: str
    ready: int
    desired: int
    note: str


@dataclass(frozen=True, slots=True)
class RolloutProgress:
    """How far the rollout is after `seconds`; `remarks` are what is suspected and what is not waited for."""

    seconds: float
    workloads: tuple[WorkloadProgress, ...]
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Returns `4/5 ready; shop-web 0/1 web: ContainerCreating`, and the remarks."""
        waiting = [
            workload for workload in self.workloads if workload.ready < workload.desired or workload.note
        ]
        ready = len(self.workloads) - len(waiting)
        parts = [
            f"{workload.name} {workload.ready}/{workload.desired} {workload.note or ''}".rstrip()
            for workload in waiting
        ]
        counted = [f"{ready}/{len(self.workloads)} ready"] if self.workloads else []
        return "; ".join([*counted, *([", ".join(parts)] if parts else []), *self.remarks])


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
    patience: Patience | None = None,
    clock: Clock | None = None,
) -> Ready | Failed:
    """Waits until workloads that are applied already are ready, or until the rollout has failed.

    Raises:
        ClusterError: The API server was unreachable until the deadline, or refused for `API_OUTAGE_SECONDS`.
    """
    watcher = _Watcher(
        cluster,
        namespace,
        workloads,
        deadline_seconds=deadline_seconds,
        on_progress=on_progress,
        patience=patience or Patience(),
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
    hook_seconds: float | None = None,
    patience: Patience | None = None,
    clock: Clock | None = None,
) -> Ready | Failed:
    """Runs `apply` (a Helm upgrade) and watches beside it.

    `apply` has `hook_seconds`, by default as long as the rollout; `deadline_seconds` begin after it. On a
    failure it sets the event that `apply` was given, and waits until `apply` ends.

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
        patience=patience or Patience(),
        clock=clock or SystemClock(),
    )
    watcher.begin(hook_seconds or deadline_seconds)
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
    watcher.begin(deadline_seconds)
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
        patience: Patience,
        clock: Clock,
    ) -> None:
        """Takes the snapshot before the change."""
        self._cluster = cluster
        self._namespace = namespace
        self._workloads = workloads
        self._on_progress = on_progress
        self._patience = patience
        self._clock = clock
        self._detector = FailureDetector()
        self._shown: tuple[object, ...] = ()
        self._changed_at = 0.0
        self._started = clock.now()
        self._deadline = deadline_seconds
        self._before = self._snapshot()

    def begin(self, seconds: float) -> None:
        """Begins a part of the rollout, which may take so long from now on."""
        self._deadline = self._seconds() + seconds

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
        failures = self._possible_failures(snapshot, is_applied=is_applied)
        failure = self._detector.detect(failures, seconds)
        is_ready = is_applied and failure is None and self._is_ready(snapshot, failures)
        if failure is None and not is_ready and seconds > self._deadline:
            failure = first_failure(failures) or deadline_failure(snapshot, self._awaited(snapshot))
        if failure:
            return Failed(self._with_last_log_line(failure, snapshot), seconds)
        if not is_ready or any(workload.is_suspended for workload in snapshot.workloads.values()):
            self._show(snapshot, seconds)
        return Ready(seconds) if is_ready else None

    def _possible_failures(self, snapshot: NamespaceSnapshot, *, is_applied: bool) -> list[RolloutFailure]:
        """Returns the possible failures; whether nodes may be added is asked only when that matters."""
        find = partial(possible_failures, snapshot, self._before, is_applied=is_applied)
        failures = find(patience=self._patience)
        if self._patience.node_pools and any(failure.cause is UNSCHEDULABLE for failure in failures):
            grows = may_grow(self._cluster, self._patience.node_pools)
            failures = find(patience=replace(self._patience, may_grow=grows))
        return failures

    def _seconds(self) -> float:
        return self._clock.now() - self._started

    def _snapshot(self) -> NamespaceSnapshot:
        """Takes a snapshot; an outage of the API server does not end a release before its deadline."""
        asked_at, is_told = self._seconds(), False
        while True:
            try:
                return self._cluster.snapshot(self._namespace, self._workloads)
            except ClusterError as error:
                seconds, until = self._seconds(), asked_at + API_OUTAGE_SECONDS
                if is_transient(error):
                    until = max(until, self._deadline)
                if seconds > until:
                    raise
                if not is_told and seconds - asked_at >= TOLD_OUTAGE_SECONDS:
                    is_told = True
                    away = f"the API server does not answer: waited for until {until:.0f} s"
                    self._on_progress(RolloutProgress(seconds, (), (away,)))
                self._clock.sleep(POLL_SECONDS)

    def _is_ready(self, snapshot: NamespaceSnapshot, failures: Sequence[RolloutFailure]) -> bool:
        """Returns True when everything that is waited for exists and is ready. Helm waits for its hooks."""
        suspects = {failure.workload for failure in failures}
        return all(
            ref in snapshot.workloads
            and (
                snapshot.workloads[ref].is_ready
                or (str(ref) not in suspects and self._is_ready_enough(snapshot, snapshot.workloads[ref]))
            )
            for ref in self._awaited(snapshot)
            if not ref.is_hook
        )

    def _awaited(self, snapshot: NamespaceSnapshot) -> list[WorkloadRef]:
        """Returns what is waited for; what may be absent only while it is there.

        Hooks and Jobs may delete themselves when they are done, and a kind may not be served. A custom
        resource that was not ready before, and that the release did not change, is not the release's concern.
        """
        return [
            ref
            for ref in self._workloads
            if ref in snapshot.workloads
            or not (ref.is_hook or ref.kind == "Job" or ref.api_version or ref.is_name_generated)
            if not self._was_unready(snapshot, ref)
        ]

    def _was_unready(self, snapshot: NamespaceSnapshot, ref: WorkloadRef) -> bool:
        old, new = self._before.workloads.get(ref), snapshot.workloads.get(ref)
        if not ref.api_version or old is None or new is None:
            return False
        return not old.is_ready and (old.uid, old.generation) == (new.uid, new.generation)

    def _is_ready_enough(self, snapshot: NamespaceSnapshot, workload: Workload) -> bool:
        """Returns True for a DaemonSet that is complete but for nodes that do not answer.

        There may be as many as its update strategy allows, and nothing may have changed for a while.
        """
        unready = [pod for pod in snapshot.pods_of(workload) if not pod.is_ready]
        return (
            workload.ref.kind == "DaemonSet"
            and workload.is_observed
            and workload.desired - min(workload.available, workload.updated) <= workload.max_unavailable
            and all(_is_without_answer(pod) for pod in unready)
            and self._seconds() - self._changed_at >= UNAVAILABLE_SECONDS
        )

    def _show(self, snapshot: NamespaceSnapshot, seconds: float) -> None:
        workloads = tuple(
            WorkloadProgress(
                workload.ref.name,
                min(workload.available, workload.desired),
                workload.desired,
                _note(snapshot, workload),
            )
            for workload in snapshot.workloads.values()
        )
        if self._shown[:1] != (workloads,):
            self._changed_at = seconds
        remarks = tuple(self._remarks(snapshot, seconds))
        if (workloads, remarks) != self._shown:
            self._shown = (workloads, remarks)
            self._on_progress(RolloutProgress(seconds, workloads, remarks))

    def _remarks(self, snapshot: NamespaceSnapshot, seconds: float) -> Iterator[str]:
        """Yields what is not waited for, and what is suspected and until when it is given."""
        for workload in snapshot.workloads.values():
            if workload.is_suspended:
                yield f"{workload.ref} is suspended: it is not waited for"
        told = set()
        for failure, fails_at in self._detector.suspected(seconds):
            if (failure.cause, failure.workload) not in told:
                told.add((failure.cause, failure.workload))
                until = min(fails_at, self._deadline)
                yield f"{failure.workload}: {failure.message}; fails at {until:.0f} s unless it recovers"

    def _with_last_log_line(self, failure: RolloutFailure, snapshot: NamespaceSnapshot) -> RolloutFailure:
        """Adds the last log line of the failed container, because it is most often the reason itself."""
        if failure.cause not in CAUSES_WITH_LOG or not failure.container:
            return failure
        namespaces = {pod.name: pod.namespace for pod in snapshot.pods}
        namespace = namespaces.get(failure.pod) or self._namespace
        read = partial(self._last_line, namespace, failure)
        line = read(previous=False) or read(previous=True)
        return replace(failure, message=f"{failure.message}; its last line: {line!r}") if line else failure

    def _last_line(self, namespace: str, failure: RolloutFailure, *, previous: bool) -> str:
        try:
            log = self._cluster.log(
                namespace, failure.pod, failure.container, previous=previous, lines=LOG_LINES
            )
        except ClusterError:
            return ""
        lines = mask_log(log).split("\n")
        return next((line.strip()[:LINE_LENGTH] for line in reversed(lines) if line.strip()), "")


def _is_without_answer(pod: Pod) -> bool:
    """Returns True when the kubelet of a pod's node reports nothing that would explain its state."""
    return all(
        container.is_ready or (container.state.phase == "waiting" and not container.state.reason)
        for container in pod.containers
    )


def _note(snapshot: NamespaceSnapshot, workload: Workload) -> str:
    """Returns what a workload waits for, in a few words; empty when it is ready."""
    if workload.is_ready:
        return ""
    if not workload.is_observed:
        return "waiting for its controller"
    return waiting_for(workload) if workload.ref.api_version else _pods_note(snapshot, workload)


def _pods_note(snapshot: NamespaceSnapshot, workload: Workload) -> str:
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
