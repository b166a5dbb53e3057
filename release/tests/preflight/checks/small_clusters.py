"""Small clusters for tests of capacity: nodes, live pods and Deployments."""

from typing import Any

from todo_release.adapters.kubernetes.api_resources import (
    NODES,
    PODS,
)
from todo_release.preflight.snapshot import PreflightSnapshot

from ..snapshots import (
    live_object,
    make_manifest,
    make_snapshot,
    workload,
)


def node(name: str, cpu: str = "1900m", memory: str = "3110Mi", **spec: Any) -> dict[str, Any]:
    """Returns a small node."""
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": "110"}},
    }


def pod(
    name: str, on: str, cpu: str, memory: str = "64Mi", *, namespace: str = "staging", **rest: Any
) -> dict[str, Any]:
    """Returns a live pod of a workload."""
    owner = rest.pop("owner", "ReplicaSet")
    requests = {"cpu": cpu, "memory": memory}
    return {
        "metadata": {
            "name": f"{name}-{on}",
            "namespace": namespace,
            "labels": {"app": name},
            "ownerReferences": [{"kind": owner, "name": name}],
        },
        "spec": {"nodeName": on, "containers": [{"name": name, "resources": {"requests": requests}}], **rest},
        "status": {"phase": "Running"},
    }


def deployment(name: str = "web", cpu: str = "100m", *, replicas: int = 1, **rest: Any) -> dict[str, Any]:
    """Returns a Deployment with maxSurge 1 and maxUnavailable 0, unless `spec` says otherwise."""
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    spec = {"replicas": replicas, "strategy": {"rollingUpdate": rolling}, **rest.pop("spec", {})}
    resources = {"requests": {"cpu": cpu, "memory": "64Mi"}}
    container = {"name": name, "image": f"registry.test/shop/{name}", "resources": resources}
    return workload(name, spec=spec, containers=[container], **rest)


def make_cluster(
    *objects: dict[str, Any], nodes: list[Any], pods: list[Any] | None = None, **rest: Any
) -> PreflightSnapshot:
    """Returns a cluster of these nodes and pods; rendered workloads that have pods are live already."""
    lists = {NODES: nodes, PODS: pods or [], **rest.pop("lists", {})}
    names = {live["metadata"]["labels"]["app"] for live in pods or ()}
    for rendered in make_manifest(*objects).objects:
        if rendered.name in names:
            lists.setdefault(rendered.resource, []).append(live_object(rendered.body))
    return make_snapshot(*objects, lists=lists, **rest)
