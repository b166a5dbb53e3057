"""Decides whether a rollout has failed or needs more time. Pure: takes a snapshot, returns possible failures.

Every possible failure has a grace: how long it must be seen without a break before the rollout counts as
failed. What a person must correct (a wrong image, a missing key) has almost none; what passes by itself (a
slow registry, a node that an autoscaler is adding) has more. Times are measured by the watcher's clock and
never compared with the cluster's. `rollout.pod_failures` finds what is wrong with pods, `rollout.causes`
lists the causes.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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
from todo_release.environments.rollout.patience import Patience
from todo_release.environments.rollout.pod_failures import (
    SETTLE_SECONDS,
    UNTIL_THE_END,
    possible_pod_failures,
)

QUOTA_SECONDS = 5
STALLED_SECONDS = 10  # a controller may report Stalled while it tries again
TOLD_AFTER_SECONDS = 3  # a pod that starts is unready for a moment; that is nothing to tell
LINGER_SECONDS = (
    5  # a failure that was absent for less is the same: a crashing container runs between its ends
)
WEBHOOK_SECONDS = 45  # an admission webhook that does not answer may only be restarting

QUOTA = re.compile(r"exceeded quota: (\S+), requested: (\S+), used: (\S+), limited: (\S+)")
REFUSED = re.compile(r"is forbidden|denied the request|is invalid|violates PodSecurity")


@dataclass(slots=True)
class _Sighting:
    """When a possible failure was first and last seen, and with which grace."""

    failure: RolloutFailure
    since: float
    last: float


class FailureDetector:
    """Remembers since when each possible failure has been seen; the only state between two snapshots."""

    def __init__(self) -> None:
        """Starts with no possible failure."""
        self._sightings: dict[tuple[str, ...], _Sighting] = {}

    def detect(self, possible_failures: Iterable[RolloutFailure], now: float) -> RolloutFailure | None:
        """Returns the failure whose grace has passed; None while all are within their grace.

        Of several it returns the one that explains the others. `now` is the time of a monotonic clock in
        seconds. When the help that a failure was waiting for cannot come any more, its grace begins then.
        """
        failures = list(possible_failures)
        kept = {key: seen for key, seen in self._sightings.items() if now - seen.last < LINGER_SECONDS}
        for failure in failures:
            seen = kept.get(_key(failure))
            is_same = seen and not _has_lost_its_help(seen.failure, failure)
            kept[_key(failure)] = _Sighting(failure, seen.since if seen and is_same else now, now)
        self._sightings = kept
        expired = first_failure(
            failure for failure in failures if now - kept[_key(failure)].since >= failure.grace_seconds
        )
        return _explained(expired, failures) if expired else None

    def suspected(self, now: float) -> list[tuple[RolloutFailure, float]]:
        """Returns what has been seen for longer than a moment, each with the time at which it fails."""
        return [
            (seen.failure, seen.since + seen.failure.grace_seconds)
            for seen in self._sightings.values()
            if seen.last == now and now - seen.since >= TOLD_AFTER_SECONDS
        ]


def _has_lost_its_help(earlier: RolloutFailure, now: RolloutFailure) -> bool:
    return earlier.grace_seconds == UNTIL_THE_END != now.grace_seconds


def _explained(expired: RolloutFailure, failures: list[RolloutFailure]) -> RolloutFailure:
    """Returns what explains that a workload makes no progress, even if its own grace has not passed."""
    if expired.cause is not STALLED:
        return expired
    of_workload = [failure for failure in failures if failure.workload == expired.workload]
    return first_failure(of_workload) or expired


def first_failure(failures: Iterable[RolloutFailure]) -> RolloutFailure | None:
    """Returns the failure that explains the others; None when there is none."""
    return min(failures, key=lambda failure: CAUSES.index(failure.cause), default=None)


def _key(failure: RolloutFailure) -> tuple[str, ...]:
    return failure.cause.id, failure.workload, failure.pod, failure.container


def possible_failures(
    snapshot: NamespaceSnapshot,
    before: NamespaceSnapshot,
    *,
    is_applied: bool,
    patience: Patience | None = None,
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
                *possible_pod_failures(snapshot, workload, patience or Patience()),
            ]
            if any(failure.grace_seconds == UNTIL_THE_END for failure in failures[ref]):
                # A pod that waits for a node makes no progress, and must not fail for that.
                failures[ref] = [failure for failure in failures[ref] if failure.cause is not STALLED]
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


def deadline_failure(
    snapshot: NamespaceSnapshot, awaited: Iterable[WorkloadRef] | None = None
) -> RolloutFailure:
    """Returns the failure of a rollout whose deadline has passed without any possible failure.

    Its message names what of `awaited`, by default of the snapshot, is not ready or does not exist.
    """
    states = {}
    for ref in snapshot.workloads if awaited is None else awaited:
        workload = snapshot.workloads.get(ref)
        if workload is None:
            states[ref] = "does not exist"
        elif not workload.is_ready:
            states[ref] = waiting_for(workload)
    details = ", ".join(f"{ref} {state}" for ref, state in states.items())
    name = str(next(iter(states), "rollout"))
    return RolloutFailure(DEADLINE, name, f"the deadline has passed ({details or 'Helm has not ended'})")


def waiting_for(workload: Workload) -> str:
    """Returns what a workload lacks: `has 0 of 1 ready`, or what a custom resource says of itself."""
    if not workload.is_observed:
        return "was not seen by its controller"
    if workload.ref.api_version:
        reasons = [
            f"{condition.reason} {condition.message}".strip()
            for condition in workload.conditions
            if condition.type in {"Ready", "Reconciling", "Stalled"}
        ]
        return f"is not ready ({'; '.join(reason for reason in reasons if reason) or 'it does not say why'})"
    if workload.ref.kind == "Job":
        return "is not done"
    old = workload.total - workload.updated
    if workload.available >= workload.desired > workload.updated:
        return f"has {workload.updated} of {workload.desired} updated"
    if workload.available >= workload.desired and old > 0:
        return f"still has {old} old pod{'' if old == 1 else 's'}"
    return f"has {min(workload.available, workload.desired)} of {workload.desired} ready"


def _workload_failures(
    snapshot: NamespaceSnapshot, workload: Workload, old: Workload | None
) -> Iterator[RolloutFailure]:
    name = str(workload.ref)
    for condition in workload.conditions:
        if condition.type == "Failed" and condition.is_true and workload.ref.kind == "Job":
            pod, container = _failed_container(snapshot, workload)
            message = f"{condition.reason}: {condition.message}"
            yield RolloutFailure(JOB_FAILED, name, message, pod=pod, container=container)
        if condition.type == "Stalled" and condition.is_true and workload.ref.api_version:
            message = f"its controller reports {condition.reason}: {condition.message}".rstrip(": .")
            yield RolloutFailure(STALLED, name, message, STALLED_SECONDS)
    if workload.is_paused:
        message = "it is paused, so its pods are not replaced: run `kubectl rollout resume`"
        yield RolloutFailure(STALLED, name, message, SETTLE_SECONDS)
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
