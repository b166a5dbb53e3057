"""Sets the stage for the scheduling arithmetic: the room as it is now, and what a release rolls in it.

Workloads whose pod template is what Helm deployed last do not roll: only pods that are missing count.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from todo_release.adapters.kubernetes.manifest import PodTemplate, Rendered, part_of
from todo_release.adapters.kubernetes.selectors import selects
from todo_release.preflight.scheduling import pod_requirements
from todo_release.preflight.scheduling.rolling_update import Change
from todo_release.preflight.scheduling.simulator import Node, Room, Shape
from todo_release.preflight.snapshot import (
    LIMIT_RANGES,
    NODES,
    PODS,
    PRIORITY_CLASSES,
    QUOTAS,
    PreflightSnapshot,
)

Placed = tuple[str, Shape]


@dataclass(frozen=True, slots=True)
class Stage:
    """The room as it is now, what a release rolls in it, and the Jobs that must run before it."""

    room: Room
    changes: tuple[Change, ...]
    hooks: tuple[Change, ...]


def stage(snapshot: PreflightSnapshot) -> Stage:
    """Read the picture.

    Raises:
        UnreadError: nodes, pods, quotas, limits or priorities could not be read.
    """
    ranges = snapshot.own(LIMIT_RANGES)
    priorities = {one["metadata"]["name"]: one for one in snapshot.own(PRIORITY_CLASSES)}
    placed = [
        (one["spec"]["nodeName"], pod_requirements.live(one))
        for one in snapshot.all(PODS)
        if pod_requirements.runs(one)
    ]
    nodes = [pod_requirements.node(one) for one in snapshot.all(NODES)]
    quota = pod_requirements.quota(snapshot.own(QUOTAS), snapshot.namespace)
    changes: list[Change] = []
    hooks: list[Change] = []
    for template in snapshot.manifest.pods():
        shape = pod_requirements.planned(template, snapshot.namespace, ranges, priorities)
        if template.owner.kind == "Job" and template.owner.hooks:
            hooks.append(_alone(template.owner, shape))
        else:
            changes += _changes(snapshot, template, shape, placed, nodes)
    room = Room(nodes, placed, quota)
    return Stage(room, tuple(changes), tuple(hooks))


def _alone(owner: Rendered, shape: Shape) -> Change:
    return Change(name=owner.subject, shape=shape, desired=int(owner.spec.get("parallelism", 1)))


def _changes(
    snapshot: PreflightSnapshot,
    template: PodTemplate,
    shape: Shape,
    placed: Sequence[Placed],
    nodes: Sequence[Node],
) -> Iterator[Change]:
    """How one workload rolls; nothing for what makes no pods in a release."""
    owner = template.owner
    if owner.kind in {"CronJob", "ReplicaSet"} or (owner.kind == "Job" and snapshot.live_of(owner)):
        return
    selector = owner.spec.get("selector") if owner.kind != "Job" else None
    current = [
        (name, pod)
        for name, pod in placed
        if pod.namespace == snapshot.namespace and selects(selector, pod.labels)
    ]
    is_same = _is_unchanged(snapshot, template)
    kept, old = (len(current), ()) if is_same else (0, tuple(current))
    if owner.kind == "DaemonSet":
        if not is_same:
            for node in nodes:
                only = replace(shape, only_node=node.name)
                if Room([node]).open_to(only):
                    here = tuple(one for one in old if one[0] == node.name)
                    yield Change(name=owner.subject, shape=only, desired=1, unavailable=1, old=here)
        return
    desired = _desired(snapshot, owner)
    surge, unavailable = _rolling(owner, desired)
    yield Change(
        name=owner.subject,
        shape=shape,
        desired=desired,
        surge=surge,
        unavailable=unavailable,
        kept=kept,
        old=old,
    )


def _is_unchanged(snapshot: PreflightSnapshot, template: PodTemplate) -> bool:
    last = snapshot.live.last_manifest
    before = last.find(template.owner.kind, template.owner.name) if last else None
    if before is None or snapshot.live_of(template.owner) is None:
        return False
    return bool(part_of(before.body, template.field) == template.body)


def _desired(snapshot: PreflightSnapshot, owner: Rendered) -> int:
    if owner.kind in {"Job", "Pod"}:
        return int(owner.spec.get("parallelism", 1))
    if "replicas" in owner.spec:
        return int(owner.spec["replicas"])
    live = snapshot.live_of(owner)
    if live:
        return int(live["spec"].get("replicas", 1))
    scaler = scaler_of(snapshot, owner)
    return int(scaler.spec.get("minReplicas", 1)) if scaler else 1


def scaler_of(snapshot: PreflightSnapshot, owner: Rendered) -> Rendered | None:
    """The autoscaler that the chart has for a workload."""
    for one in snapshot.manifest.of_kind("HorizontalPodAutoscaler"):
        target = one.spec["scaleTargetRef"]
        if (target["kind"], target["name"]) == (owner.kind, owner.name):
            return one
    return None


def _rolling(owner: Rendered, desired: int) -> tuple[int, int]:
    """How many pods may be too many and how many too few while a workload rolls."""
    if owner.kind == "StatefulSet":
        return 0, 1
    strategy = owner.spec.get("strategy") or {}
    if owner.kind != "Deployment" or strategy.get("type") == "Recreate":
        return 0, desired
    rule = strategy.get("rollingUpdate") or {}
    surge = _count(rule.get("maxSurge", "25%"), desired, math.ceil)
    unavailable = _count(rule.get("maxUnavailable", "25%"), desired, math.floor)
    return surge, unavailable or (0 if surge else 1)


def _count(value: Any, desired: int, rounded: Callable[[float], int]) -> int:
    text = str(value)
    return rounded(desired * int(text[:-1]) / 100) if text.endswith("%") else int(text)
