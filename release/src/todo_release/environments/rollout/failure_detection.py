"""Decides whether a rollout has failed or needs more time. Pure: takes a snapshot, returns possible failures.

Every possible failure has a grace: how long it must be seen without a break before the rollout counts as
failed. What a person must correct (a wrong image, a missing key) has almost none; what passes by itself (a
slow registry, a node that an autoscaler is adding) has more. Times are measured by the watcher's clock and
never compared with the cluster's. `rollout.pod_failures` finds what is wrong with pods, `rollout.causes`
lists the causes.
"""

import re
from collections.abc import Iterable, Iterator

from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, Workload, WorkloadRef
from todo_release.environments.rollout.causes import (
    CAPACITY_CAUSES,
    CAUSES,
    DEADLINE,
    JOB_FAILED,
    POD_REFUSED,
    PROBE_FAILING,
    QUOTA_EXCEEDED,
    STALLED,
    RolloutFailure,
)
from todo_release.environments.rollout.pod_failures import possible_pod_failures

QUOTA_SECONDS = 5
WEBHOOK_SECONDS = 45  # an admission webhook that does not answer may only be restarting

QUOTA = re.compile(r"exceeded quota: (\S+), requested: (\S+), used: (\S+), limited: (\S+)")
REFUSED = re.compile(r"is forbidden|denied the request|is invalid|violates PodSecurity")


class FailureDetector:
    """Remembers since when each possible failure has been seen; the only state between two snapshots."""

    def __init__(self) -> None:
        """Starts with no possible failure."""
        self._since: dict[tuple[str, ...], float] = {}

    def detect(self, possible_failures: Iterable[RolloutFailure], now: float) -> RolloutFailure | None:
        """Returns the failure whose grace has passed; None while all are within their grace.

        Of several it returns the one that explains the others. `now` is the time of a monotonic clock in
        seconds.
        """
        failures = list(possible_failures)
        self._since = {_key(failure): self._since.get(_key(failure), now) for failure in failures}
        return first_failure(
            failure for failure in failures if now - self._since[_key(failure)] >= failure.grace_seconds
        )


def first_failure(failures: Iterable[RolloutFailure]) -> RolloutFailure | None:
    """Returns the failure that explains the others; None when there is none."""
    return min(failures, key=lambda failure: CAUSES.index(failure.cause), default=None)


def _key(failure: RolloutFailure) -> tuple[str, ...]:
    return failure.cause.id, failure.workload, failure.pod, failure.container


def possible_failures(
    snapshot: NamespaceSnapshot, before: NamespaceSnapshot, *, is_applied: bool
) -> list[RolloutFailure]:
    """Returns what keeps the workloads of a snapshot from becoming ready.

    `before` was taken before anything was changed. While the change is still being applied, workloads that it
    has not reached yet are skipped: the release may be about to repair them.
    """
    failures: dict[WorkloadRef, list[RolloutFailure]] = {}
    for ref, workload in snapshot.workloads.items():
        old = before.workloads.get(ref)
        is_untouched = old is not None and (old.uid, old.generation) == (workload.uid, workload.generation)
        if is_untouched and (ref.is_hook or not is_applied):
            continue
        if workload.is_observed and not workload.is_ready:
            failures[ref] = [
                *_workload_failures(snapshot, workload, old),
                *possible_pod_failures(snapshot, workload),
            ]
    all_failures = [failure for of_workload in failures.values() for failure in of_workload]
    if any(_will_free_capacity(snapshot, ref, of_workload) for ref, of_workload in failures.items()):
        return [failure for failure in all_failures if failure.cause not in CAPACITY_CAUSES]
    return all_failures


def _will_free_capacity(
    snapshot: NamespaceSnapshot, ref: WorkloadRef, failures: list[RolloutFailure]
) -> bool:
    """Returns True while a pod is terminating, or is starting and will replace one that terminates then."""
    failing = {failure.pod for failure in failures if failure.cause is not PROBE_FAILING}
    pods = snapshot.pods_of(snapshot.workloads[ref])
    return (
        not failures
        or any(pod.node and not pod.is_ready and pod.name not in failing for pod in pods)
        or any(pod.is_terminating for pod in snapshot.pods)
    )


def deadline_failure(snapshot: NamespaceSnapshot) -> RolloutFailure:
    """Returns the failure of a rollout whose deadline has passed without any possible failure."""
    waiting = [workload for workload in snapshot.workloads.values() if not workload.is_ready]
    states = ", ".join(
        f"{workload.ref} has {workload.available} of {workload.desired} ready" for workload in waiting
    )
    return RolloutFailure(
        DEADLINE, str(waiting[0].ref) if waiting else "rollout", f"the deadline has passed ({states})"
    )


def _workload_failures(
    snapshot: NamespaceSnapshot, workload: Workload, old: Workload | None
) -> Iterator[RolloutFailure]:
    name = str(workload.ref)
    for condition in workload.conditions:
        if condition.type == "Failed" and condition.is_true:
            pod, container = _failed_container(snapshot, workload)
            message = f"{condition.reason}: {condition.message}"
            yield RolloutFailure(JOB_FAILED, name, message, pod=pod, container=container)
    refusal = _pod_refusal(snapshot, workload)
    quota = QUOTA.search(refusal)
    if quota:
        quota_name, requested, used, limited = quota.groups()
        message = f"quota {quota_name} is exceeded: requested {requested}, used {used}, limited {limited}"
        yield RolloutFailure(QUOTA_EXCEEDED, name, message, QUOTA_SECONDS)
    elif refusal:
        grace = QUOTA_SECONDS if REFUSED.search(refusal) else WEBHOOK_SECONDS
        yield RolloutFailure(POD_REFUSED, name, f"its pods are refused: {refusal}", grace)
    stalled = workload.condition("Progressing")
    if stalled and stalled.reason == "ProgressDeadlineExceeded":
        stale = old.condition("Progressing") if old else None
        if stale is None or stale.updated_at != stalled.updated_at:
            yield RolloutFailure(STALLED, name, stalled.message.rstrip("."))


def _pod_refusal(snapshot: NamespaceSnapshot, workload: Workload) -> str:
    """Returns why the API server refuses the workload's pods; only Deployments have a condition for it."""
    condition = workload.condition("ReplicaFailure")
    if condition and condition.is_true:
        return condition.message
    if workload.ref.kind == "Deployment" or len(snapshot.pods_of(workload)) >= workload.desired:
        return ""
    events = snapshot.events_of(workload.uid, "FailedCreate")
    return events[-1].message if events else ""


def _failed_container(snapshot: NamespaceSnapshot, workload: Workload) -> tuple[str, str]:
    failed = [
        (pod.name, container.name)
        for pod in snapshot.pods_of(workload)
        for container in pod.containers
        if container.state.exit_code
    ]
    return failed[-1] if failed else ("", "")
