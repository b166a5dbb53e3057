"""Kubernetes objects as the API server returns them, reduced to the fields that the engine reads."""

from typing import Any

from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, WorkloadRef
from todo_release.adapters.kubernetes.snapshots import parse_snapshot

WEB = WorkloadRef("Deployment", "web")
MIGRATE = WorkloadRef("Job", "migrate", is_hook=True)
CACHE = WorkloadRef("StatefulSet", "cache")
AGENT = WorkloadRef("DaemonSet", "agent")
IMAGE = "registry.test/shop/web@sha256:404404404"


def deployment(
    *,
    name: str = "web",
    replicas: int = 1,
    generation: int = 2,
    observed: int = 2,
    updated: int = 1,
    available: int = 0,
    total: int = 2,
    conditions: list[dict[str, Any]] | None = None,
    containers: tuple[str, ...] = ("web",),
    annotations: dict[str, str] | None = None,
    progress_seconds: int = 600,
    paused: bool = False,
) -> dict[str, Any]:
    """Returns a Deployment during a rollout to its second revision, with one new and one old pod."""
    return {
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "generation": generation,
            "annotations": annotations or {},
        },
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": progress_seconds,
            "paused": paused,
            "template": {"spec": {"containers": [{"name": container} for container in containers]}},
        },
        "status": {
            "observedGeneration": observed,
            "updatedReplicas": updated,
            "availableReplicas": available,
            "replicas": total,
            "conditions": conditions or [],
        },
    }


def replica_set(revision: int, *, name: str = "web") -> dict[str, Any]:
    """Returns the ReplicaSet of one revision of a Deployment."""
    return {
        "metadata": {
            "name": f"{name}-{revision}",
            "uid": f"uid-{name}-{revision}",
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "ownerReferences": [{"uid": f"uid-{name}", "controller": True}],
        }
    }


def job(*conditions: dict[str, Any], succeeded: int = 0) -> dict[str, Any]:
    """Returns a migration Job."""
    return {
        "kind": "Job",
        "metadata": {"name": "migrate", "uid": "uid-migrate", "generation": 1},
        "spec": {"template": {"spec": {"containers": [{"name": "migrate"}]}}},
        "status": {"conditions": list(conditions), "succeeded": succeeded},
    }


def stateful_set(
    *, update: str = "b", current: str = "a", updated: int = 0, available: int = 1
) -> dict[str, Any]:
    """Returns a StatefulSet of one replica, on the way from revision `current` to `update`."""
    return {
        "kind": "StatefulSet",
        "metadata": {"name": "cache", "uid": "uid-cache", "generation": 2},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "redis"}]}}},
        "status": {
            "observedGeneration": 2,
            "updateRevision": update,
            "currentRevision": current,
            "updatedReplicas": updated,
            "availableReplicas": available,
            "replicas": 1,
        },
    }


def daemon_set(*, updated: int, available: int) -> dict[str, Any]:
    """Returns a DaemonSet on two nodes."""
    return {
        "kind": "DaemonSet",
        "metadata": {
            "name": "agent",
            "uid": "uid-agent",
            "generation": 2,
            "annotations": {"deprecated.daemonset.template.generation": "2"},
        },
        "spec": {"template": {"spec": {"containers": [{"name": "agent"}]}}},
        "status": {
            "observedGeneration": 2,
            "desiredNumberScheduled": 2,
            "updatedNumberScheduled": updated,
            "numberAvailable": available,
        },
    }


def condition(
    kind: str, status: str = "True", *, reason: str = "", message: str = "", at: str = ""
) -> dict[str, Any]:
    """Returns one entry of `status.conditions`."""
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastUpdateTime": at}


def container(
    name: str = "web",
    *,
    waiting: str | None = None,
    running: bool = False,
    ended: dict[str, Any] | None = None,
    message: str = "",
    last: dict[str, Any] | None = None,
    restarts: int = 0,
    ready: bool = False,
    spec: dict[str, Any] | None = None,
    is_init: bool = False,
    image: str = IMAGE,
) -> dict[str, Any]:
    """Returns a container's specification and status, which `pod` separates."""
    state: dict[str, Any] = {}
    if waiting is not None:
        state = {"waiting": {"reason": waiting, "message": message}}
    elif running:
        state = {"running": {"startedAt": "2026-11-24T05:00:00Z"}}
    elif ended:
        state = {"terminated": ended}
    return {
        "is_init": is_init,
        "spec": {"name": name, "image": image, **(spec or {})},
        "status": {
            "name": name,
            "ready": ready,
            "restartCount": restarts,
            "state": state,
            "lastState": {"terminated": last} if last else {},
        },
    }


def pod(
    *containers: dict[str, Any],
    name: str = "web-2-a",
    owner: str = "uid-web-2",
    node: str = "node-1",
    ready: bool = False,
    scheduled: dict[str, Any] | None = None,
    terminating: bool = False,
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Returns a pod, by default of the Deployment's second revision."""
    meta: dict[str, Any] = {
        "name": name,
        "uid": f"uid-{name}",
        "labels": labels or {},
        "annotations": annotations or {},
        "ownerReferences": [{"uid": owner, "controller": True}],
    }
    if terminating:
        meta["deletionTimestamp"] = "2026-11-24T05:00:00Z"
    conditions = [condition("Ready", "True" if ready else "False")]
    return {
        "metadata": meta,
        "spec": {
            "nodeName": node,
            "initContainers": [part["spec"] for part in containers if part["is_init"]],
            "containers": [part["spec"] for part in containers if not part["is_init"]],
        },
        "status": {
            "conditions": [*conditions, scheduled] if scheduled else conditions,
            "initContainerStatuses": [part["status"] for part in containers if part["is_init"]],
            "containerStatuses": [part["status"] for part in containers if not part["is_init"]],
        },
    }


def event(uid: str, reason: str, message: str, *, at: str = "2026-11-24T05:00:00Z") -> dict[str, Any]:
    """Returns an event about the object of a uid."""
    return {
        "involvedObject": {"uid": uid, "kind": "Pod", "name": uid.removeprefix("uid-")},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
    }


def snapshot(
    *workloads: dict[str, Any],
    pods: list[dict[str, Any]] | None = None,
    events: list[dict[str, Any]] | None = None,
    refs: tuple[WorkloadRef, ...] = (WEB, MIGRATE, CACHE, AGENT),
) -> NamespaceSnapshot:
    """Returns the snapshot of a namespace; every Deployment has ReplicaSets of revisions 1 and 2."""
    sets = [
        replica_set(revision, name=workload["metadata"]["name"])
        for workload in workloads
        if workload["kind"] == "Deployment"
        for revision in (2, 1)
    ]
    return parse_snapshot(refs, workloads, sets, pods or [], events or [])


NOTHING = NamespaceSnapshot({}, (), ())
