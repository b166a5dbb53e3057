"""Builds the input of a simulation from a snapshot: the cluster's capacity and the workloads that roll.

Workloads whose pod template equals the one that Helm deployed last do not roll: only missing pods count.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from todo_release.adapters.kubernetes.api_resources import (
    LIMIT_RANGES,
    NODES,
    PODS,
    PRIORITY_CLASSES,
    QUOTAS,
)
from todo_release.adapters.kubernetes.manifest import PodTemplate, RenderedObject, part_of
from todo_release.adapters.kubernetes.selectors import selects
from todo_release.preflight.scheduling import pod_requirements
from todo_release.preflight.scheduling.cluster_capacity import ClusterCapacity
from todo_release.preflight.scheduling.resources import NodeCapacity, PodRequirements
from todo_release.preflight.scheduling.rolling_update import WorkloadChange
from todo_release.preflight.snapshot import PreflightSnapshot

PlacedPod = tuple[str, PodRequirements]  # a live pod with the name of its node


@dataclass(frozen=True, slots=True)
class PlannedRollout:
    """The capacity as it is now, what a release rolls in it, and the hook Jobs that must run before."""

    capacity: ClusterCapacity
    changes: tuple[WorkloadChange, ...]
    hooks: tuple[WorkloadChange, ...]


def planned_rollout(snapshot: PreflightSnapshot) -> PlannedRollout:
    """Builds the input of a simulation.

    Raises:
        UnreadError: nodes, pods, quotas, limits or priorities could not be read.
    """
    limit_ranges = snapshot.in_namespace(LIMIT_RANGES)
    priorities = {item["metadata"]["name"]: item for item in snapshot.in_namespace(PRIORITY_CLASSES)}
    placed = [
        (pod["spec"]["nodeName"], pod_requirements.of_live_pod(pod))
        for pod in snapshot.in_cluster(PODS)
        if pod_requirements.occupies_node(pod)
    ]
    nodes = [pod_requirements.node_capacity(node) for node in snapshot.in_cluster(NODES)]
    quota = pod_requirements.remaining_quota(snapshot.in_namespace(QUOTAS), snapshot.namespace)
    changes: list[WorkloadChange] = []
    hooks: list[WorkloadChange] = []
    for template in snapshot.manifest.pods():
        pod = pod_requirements.of_template(template, snapshot.namespace, limit_ranges, priorities)
        if template.owner.kind == "Job" and template.owner.hooks:
            hooks.append(_hook_run(template.owner, pod))
        else:
            changes += _changes_of_workload(snapshot, template, pod, placed, nodes)
    return PlannedRollout(ClusterCapacity(nodes, placed, quota), tuple(changes), tuple(hooks))


def autoscaler_of(snapshot: PreflightSnapshot, owner: RenderedObject) -> RenderedObject | None:
    """Returns the HorizontalPodAutoscaler that the chart has for a workload."""
    for autoscaler in snapshot.manifest.of_kind("HorizontalPodAutoscaler"):
        target = autoscaler.spec["scaleTargetRef"]
        if (target["kind"], target["name"]) == (owner.kind, owner.name):
            return autoscaler
    return None


def _hook_run(owner: RenderedObject, pod: PodRequirements) -> WorkloadChange:
    return WorkloadChange(name=owner.subject, pod=pod, replicas=int(owner.spec.get("parallelism", 1)))


def _changes_of_workload(
    snapshot: PreflightSnapshot,
    template: PodTemplate,
    pod: PodRequirements,
    placed: Sequence[PlacedPod],
    nodes: Sequence[NodeCapacity],
) -> Iterator[WorkloadChange]:
    """Yields how one workload rolls; nothing for a workload that creates no pods during the release."""
    owner = template.owner
    if owner.kind in {"CronJob", "ReplicaSet"} or (owner.kind == "Job" and snapshot.live_of(owner)):
        return
    selector = owner.spec.get("selector") if owner.kind != "Job" else None
    current = tuple(
        (node, live)
        for node, live in placed
        if live.namespace == snapshot.namespace and selects(selector, live.labels)
    )
    is_unchanged = _is_unchanged(snapshot, template)
    old_pods = () if is_unchanged else current
    if owner.kind == "DaemonSet":
        if not is_unchanged:
            yield from _daemon_set_changes(owner, pod, old_pods, nodes)
        return
    replicas = _replicas(snapshot, owner)
    max_surge, max_unavailable = _rolling_limits(owner, replicas)
    yield WorkloadChange(
        name=owner.subject,
        pod=pod,
        replicas=replicas,
        max_surge=max_surge,
        max_unavailable=max_unavailable,
        up_to_date=len(current) if is_unchanged else 0,
        old_pods=old_pods,
    )


def _daemon_set_changes(
    owner: RenderedObject, pod: PodRequirements, old_pods: Sequence[PlacedPod], nodes: Sequence[NodeCapacity]
) -> Iterator[WorkloadChange]:
    """Yields one change for each eligible node, because each pod of a DaemonSet has its own node."""
    for node in nodes:
        node_pod = replace(pod, only_node=node.name)
        if ClusterCapacity([node]).eligible_nodes(node_pod):
            on_node = tuple(placed for placed in old_pods if placed[0] == node.name)
            yield WorkloadChange(
                name=owner.subject, pod=node_pod, replicas=1, max_unavailable=1, old_pods=on_node
            )


def _is_unchanged(snapshot: PreflightSnapshot, template: PodTemplate) -> bool:
    last = snapshot.live.last_manifest
    before = last.find(template.owner.kind, template.owner.name) if last else None
    if before is None or snapshot.live_of(template.owner) is None:
        return False
    return bool(part_of(before.body, template.field) == template.body)


def _replicas(snapshot: PreflightSnapshot, owner: RenderedObject) -> int:
    if owner.kind in {"Job", "Pod"}:
        return int(owner.spec.get("parallelism", 1))
    if "replicas" in owner.spec:
        return int(owner.spec["replicas"])
    live = snapshot.live_of(owner)
    if live:
        return int(live["spec"].get("replicas", 1))
    autoscaler = autoscaler_of(snapshot, owner)
    return int(autoscaler.spec.get("minReplicas", 1)) if autoscaler else 1


def _rolling_limits(owner: RenderedObject, replicas: int) -> tuple[int, int]:
    """Returns maxSurge and maxUnavailable as numbers of pods, with the defaults of the controllers."""
    if owner.kind == "StatefulSet":
        return 0, 1
    strategy = owner.spec.get("strategy") or {}
    if owner.kind != "Deployment" or strategy.get("type") == "Recreate":
        return 0, replicas
    rule = strategy.get("rollingUpdate") or {}
    max_surge = _pod_count(rule.get("maxSurge", "25%"), replicas, math.ceil)
    max_unavailable = _pod_count(rule.get("maxUnavailable", "25%"), replicas, math.floor)
    return max_surge, max_unavailable or (0 if max_surge else 1)


def _pod_count(value: Any, replicas: int, rounding: Callable[[float], int]) -> int:
    text = str(value)
    return rounding(replicas * int(text[:-1]) / 100) if text.endswith("%") else int(text)
