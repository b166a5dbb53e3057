"""Joins the API's lists of one namespace into a snapshot, and parses what each kind of workload reports.

When a workload is done follows `kubectl rollout status`; where that never ends, it follows the controller:
pods that only a person replaces (OnDelete), and those below a StatefulSet's partition, are not waited for.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from todo_release.adapters.kubernetes.objects import (
    PROGRESS_SECONDS,
    JsonObject,
    KubernetesEvent,
    NamespaceSnapshot,
    Workload,
    WorkloadRef,
    all_containers,
    parse_conditions,
    parse_event,
    parse_pod,
)


def parse_snapshot(
    refs: Iterable[WorkloadRef],
    workloads: Iterable[JsonObject],
    replica_sets: Iterable[JsonObject],
    pods: Iterable[JsonObject],
    events: Iterable[JsonObject],
) -> NamespaceSnapshot:
    """Joins the lists of one namespace; workloads that are not asked for are left out.

    Items of API lists have no kind, so the caller must have set `kind` in each of `workloads`.
    """
    wanted, sets = list(refs), list(replica_sets)
    parsed = {
        ref: parse_workload(ref, raw, sets)
        for raw in workloads
        for ref in _refs_to(wanted, raw["kind"], raw["metadata"])
    }
    return NamespaceSnapshot(
        workloads=parsed,
        pods=tuple(parse_pod(raw) for raw in pods),
        events=tuple(sorted((parse_event(raw) for raw in events), key=_event_order)),
    )


def join_snapshots(snapshots: Iterable[NamespaceSnapshot]) -> NamespaceSnapshot:
    """Returns one snapshot of all namespaces that a release uses."""
    parts = list(snapshots)
    return NamespaceSnapshot(
        workloads={ref: workload for part in parts for ref, workload in part.workloads.items()},
        pods=tuple(pod for part in parts for pod in part.pods),
        events=tuple(sorted((event for part in parts for event in part.events), key=_event_order)),
    )


def _refs_to(refs: Iterable[WorkloadRef], kind: str, meta: JsonObject) -> Iterator[WorkloadRef]:
    """Yields the reference to an object; one to a generated name gets the name that the object has."""
    for ref in refs:
        if ref.kind != kind:
            continue
        if ref.is_name_generated and meta.get("generateName") == ref.name:
            yield replace(ref, name=meta["name"], is_name_generated=False)
        elif not ref.is_name_generated and meta["name"] == ref.name:
            yield ref


def parse_workload(ref: WorkloadRef, raw: JsonObject, replica_sets: Iterable[JsonObject]) -> Workload:
    """Parses one workload; a Deployment's pods belong to the ReplicaSet of its newest revision."""
    meta, spec, status = raw["metadata"], raw["spec"], raw.get("status", {})
    uid = meta["uid"]
    pod_owner_uid, pod_labels = uid, {}
    special: dict[str, Any] = {}
    if ref.kind == "Deployment":
        pod_owner_uid = _newest_replica_set(uid, replica_sets)
        numbers = _replica_numbers(spec, status)
        special["progress_seconds"] = spec.get("progressDeadlineSeconds", PROGRESS_SECONDS)
        special["is_paused"] = spec.get("paused", False)
    elif ref.kind == "StatefulSet":
        pod_labels = {"controller-revision-hash": status.get("updateRevision", "")}
        numbers = _stateful_set_numbers(spec, status)
    elif ref.kind == "DaemonSet":
        generation = meta.get("annotations", {}).get("deprecated.daemonset.template.generation", "")
        pod_labels = {"pod-template-generation": generation}
        numbers = _daemon_set_numbers(spec, status)
        special["max_unavailable"] = _max_unavailable(spec, numbers["desired"])
    else:
        # A parallelism of 0 pauses a Job too.
        is_suspended = spec.get("suspend", False) or spec.get("parallelism") == 0
        desired = 0 if is_suspended else spec.get("completions") or 1
        numbers = _numbers(desired, status, "succeeded", "succeeded", "succeeded")
        special["is_suspended"] = is_suspended
    template = spec["template"]["spec"]
    return Workload(
        ref=ref,
        uid=uid,
        generation=meta.get("generation", 0),
        observed_generation=meta.get("generation", 0)
        if ref.kind == "Job"
        else status.get("observedGeneration", 0),
        conditions=parse_conditions(status),
        containers=frozenset(container["name"] for container in all_containers(template)),
        pod_owner_uid=pod_owner_uid,
        pod_labels=pod_labels,
        annotations=meta.get("annotations") or {},
        **special,
        **numbers,
    )


def parse_custom_resource(ref: WorkloadRef, raw: JsonObject) -> Workload:
    """Parses a custom resource by the rules of kstatus; it counts as one replica.

    It is ready unless it says otherwise: `Ready` is not True, or `Reconciling` or `Stalled` is True. Kinds
    without these conditions are ready once their controller, if it says so at all, has seen the newest
    generation.
    """
    meta, status = raw["metadata"], raw.get("status") or {}
    generation = meta.get("generation", 0)
    entries = [entry for entry in status.get("conditions") or () if "type" in entry and "status" in entry]
    conditions = parse_conditions({"conditions": entries})
    states = {condition.type: condition.is_true for condition in conditions}
    seen = [entry["observedGeneration"] for entry in entries if "observedGeneration" in entry]
    is_current = states.get("Ready", True) and not states.get("Reconciling") and not states.get("Stalled")
    count = int(is_current)
    return Workload(
        ref=ref,
        uid=meta["uid"],
        generation=generation,
        observed_generation=status.get("observedGeneration", max(seen, default=generation)),
        desired=1,
        conditions=conditions,
        containers=frozenset(),
        pod_owner_uid=meta["uid"],
        pod_labels={},
        annotations=meta.get("annotations") or {},
        updated=count,
        available=count,
        total=count,
    )


def _event_order(event: KubernetesEvent) -> tuple[bool, float]:
    return (event.at is not None, event.at.timestamp() if event.at else 0.0)


def _newest_replica_set(uid: str, replica_sets: Iterable[JsonObject]) -> str:
    owned = [
        replica_set
        for replica_set in replica_sets
        if any(owner["uid"] == uid for owner in replica_set["metadata"].get("ownerReferences", []))
    ]
    newest = max(owned, key=_revision, default=None)
    return str(newest["metadata"]["uid"]) if newest else uid


def _revision(raw: JsonObject) -> int:
    return int(raw["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision", "0"))


def _replica_numbers(spec: JsonObject, status: JsonObject) -> dict[str, Any]:
    return _numbers(spec.get("replicas", 1), status, "updatedReplicas", "availableReplicas", "replicas")


def _stateful_set_numbers(spec: JsonObject, status: JsonObject) -> dict[str, Any]:
    numbers = _replica_numbers(spec, status)
    strategy = spec.get("updateStrategy") or {}
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    if strategy.get("type") == "OnDelete":
        needed = 0
    elif status.get("updateRevision") == status.get("currentRevision"):
        needed = 0  # the controller no longer counts updatedReplicas once the update is complete
    elif partition:
        needed = max(0, numbers["desired"] - partition)
    else:
        return numbers
    if numbers["updated"] >= needed:
        numbers["updated"] = numbers["total"]
    return numbers


def _daemon_set_numbers(spec: JsonObject, status: JsonObject) -> dict[str, Any]:
    desired = status.get("desiredNumberScheduled", 0)
    updated = "updatedNumberScheduled"
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        updated = "currentNumberScheduled"
    return _numbers(desired, status, updated, "numberAvailable", updated)


def _max_unavailable(spec: JsonObject, desired: int) -> int:
    """Returns how many pods a DaemonSet's rolling update may leave unavailable; the default is the API's."""
    strategy: Mapping[str, Any] = spec.get("updateStrategy") or {}
    allowed = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
    if isinstance(allowed, str):
        return math.ceil(desired * int(allowed.removesuffix("%")) / 100)
    return int(allowed)


def _numbers(desired: int, status: JsonObject, updated: str, available: str, total: str) -> dict[str, Any]:
    return {
        "desired": desired,
        "updated": status.get(updated, 0),
        "available": status.get(available, 0),
        "total": status.get(total, 0),
    }
