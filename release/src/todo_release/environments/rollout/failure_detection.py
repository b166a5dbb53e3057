"""Tells a rollout that can never finish from one that only needs time. Pure: a look in, suspects out.

Every suspect has a grace: how long it must be seen without a break before it is doom. What a person must
change (a wrong image, a missing key) has next to none; what passes by itself (a slow registry, a node that an
autoscaler is adding) has more. Times are measured by the watcher's clock, never by comparing with the
cluster's. What is wrong with pods is read in `rollout.pod_failures`, the causes stand in
`rollout.causes`.
"""

import re
from collections.abc import Iterable, Iterator

from todo_release.adapters.kubernetes.objects import Snapshot, Workload, WorkloadRef
from todo_release.environments.rollout.causes import (
    CAUSES,
    DEADLINE,
    JOB_FAILED,
    POD_REFUSED,
    PROBE_FAILING,
    QUOTA_EXCEEDED,
    STALLED,
    UNSCHEDULABLE,
    RolloutFailure,
)
from todo_release.environments.rollout.pod_failures import pod_suspects

QUOTA_SECONDS = 5
WEBHOOK_SECONDS = 45  # an admission webhook that does not answer may only be restarting
NEEDS_ROOM = (QUOTA_EXCEEDED, UNSCHEDULABLE)

QUOTA = re.compile(r"exceeded quota: (\S+), requested: (\S+), used: (\S+), limited: (\S+)")
REFUSED = re.compile(r"is forbidden|denied the request|is invalid|violates PodSecurity")


class FailureDetector:
    """Remembers since when each suspect has been seen; the only state between two looks."""

    def __init__(self) -> None:
        """No suspect was seen yet."""
        self._since: dict[tuple[str, ...], float] = {}

    def verdict(self, possible_failures: Iterable[RolloutFailure], now: float) -> RolloutFailure | None:
        """The doom among the suspects seen at `now` (seconds of a steady clock); None while all are in grace.

        Of several it is the one that explains the others.
        """
        seen = list(possible_failures)
        self._since = {_identity(one): self._since.get(_identity(one), now) for one in seen}
        ripe = [one for one in seen if now - self._since[_identity(one)] >= one.grace_seconds]
        return first_failure(ripe)


def first_failure(failures: Iterable[RolloutFailure]) -> RolloutFailure | None:
    """The one that explains the others; None when there is none."""
    return min(failures, key=lambda one: CAUSES.index(one.cause), default=None)


def _identity(candidate: RolloutFailure) -> tuple[str, ...]:
    return candidate.cause.id, candidate.object, candidate.pod, candidate.container


def possible_failures(snapshot: Snapshot, before: Snapshot, *, is_applied: bool) -> list[RolloutFailure]:
    """What keeps the workloads of a snapshot from becoming ready.

    `before` was taken before anything was changed. While the change is still being applied, workloads it has
    not reached yet are left alone: what is wrong with them is what the release may be about to repair.
    """
    found: dict[WorkloadRef, list[RolloutFailure]] = {}
    for ref, workload in snapshot.workloads.items():
        old = before.workloads.get(ref)
        is_untouched = old is not None and (old.uid, old.generation) == (workload.uid, workload.generation)
        if is_untouched and (ref.is_hook or not is_applied):
            continue
        if workload.is_observed and not workload.is_ready:
            found[ref] = [*_of_workload(snapshot, workload, old), *pod_suspects(snapshot, workload)]
    every = [one for of_one in found.values() for one in of_one]
    if any(_is_moving(snapshot, snapshot.workloads[ref], of_one) for ref, of_one in found.items()):
        return [one for one in every if one.cause not in NEEDS_ROOM]
    return every


def _is_moving(snapshot: Snapshot, workload: Workload, of_one: list[RolloutFailure]) -> bool:
    """True while something happens that ends with room: a pod that starts will replace one that then goes."""
    blamed = {one.pod for one in of_one if one.cause is not PROBE_FAILING}
    pods = snapshot.pods_of(workload)
    return (
        not of_one
        or any(pod.node and not pod.is_ready and pod.name not in blamed for pod in pods)
        or any(pod.is_terminating for pod in snapshot.pods)
    )


def overdue(snapshot: Snapshot) -> RolloutFailure:
    """What to say when time is over and nothing was ever suspected."""
    waiting = [one for one in snapshot.workloads.values() if not one.is_ready]
    states = ", ".join(f"{one.ref} has {one.available} of {one.desired} ready" for one in waiting)
    return RolloutFailure(DEADLINE, str(waiting[0].ref) if waiting else "rollout", f"time is over ({states})")


def _of_workload(snapshot: Snapshot, workload: Workload, old: Workload | None) -> Iterator[RolloutFailure]:
    name = str(workload.ref)
    for one in workload.conditions:
        if one.type == "Failed" and one.is_true:
            pod, container = _failed_container(snapshot, workload)
            yield RolloutFailure(
                JOB_FAILED, name, f"{one.reason}: {one.message}", pod=pod, container=container
            )
    refusal = _refusal(snapshot, workload)
    quota = QUOTA.search(refusal)
    if quota:
        rule, requested, used, limited = quota.groups()
        message = f"quota {rule} has no room: requested {requested}, used {used}, limited {limited}"
        yield RolloutFailure(QUOTA_EXCEEDED, name, message, QUOTA_SECONDS)
    elif refusal:
        grace = QUOTA_SECONDS if REFUSED.search(refusal) else WEBHOOK_SECONDS
        yield RolloutFailure(POD_REFUSED, name, f"its pods are refused: {refusal}", grace)
    stalled = workload.condition("Progressing")
    if stalled and stalled.reason == "ProgressDeadlineExceeded":
        stale = old.condition("Progressing") if old else None
        if stale is None or stale.updated_at != stalled.updated_at:
            yield RolloutFailure(STALLED, name, stalled.message.rstrip("."))


def _refusal(snapshot: Snapshot, workload: Workload) -> str:
    """Why the API server does not take the workload's pods; only Deployments state it as a condition."""
    condition = workload.condition("ReplicaFailure")
    if condition and condition.is_true:
        return condition.message
    if workload.ref.kind == "Deployment" or len(snapshot.pods_of(workload)) >= workload.desired:
        return ""
    events = snapshot.events_of(workload.uid, "FailedCreate")
    return events[-1].message if events else ""


def _failed_container(snapshot: Snapshot, workload: Workload) -> tuple[str, str]:
    failed = [
        (pod.name, container.name)
        for pod in snapshot.pods_of(workload)
        for container in pod.containers
        if container.state.exit_code
    ]
    return failed[-1] if failed else ("", "")
