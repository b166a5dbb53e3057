"""Simulated nodes, and generic workloads that take part of them, as a provider's own do.

Nothing here describes a certain provider: callers give names, sizes and labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from todo_embedded.controlplane.binaries import KUBERNETES_VERSION
from todo_embedded.controlplane.object_paths import KubeObject

SYSTEM_NAMESPACE = "kube-system"
SMALL = {"cpu": "2", "memory": "4Gi", "pods": "110"}


@dataclass(frozen=True, slots=True)
class SimulatedNode:
    """A node: resources as the API writes them (`1900m`, `3110Mi`), taints as in `spec.taints`.

    `labels` are added to those that every node has.
    """

    name: str
    allocatable: Mapping[str, str]
    capacity: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Mapping[str, str]] = ()

    def manifest(self, number: int, kubelet_port: int) -> KubeObject:
        """Returns the object with which a kubelet would register; `number` (from 1) makes its addresses."""
        labels = {
            "kubernetes.io/hostname": self.name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
        }
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": labels | dict(self.labels)},
            "spec": {"taints": list(self.taints), "podCIDR": f"10.244.{number}.0/24"},
            "status": {
                "allocatable": dict(self.allocatable),
                "capacity": dict(self.capacity),
                "addresses": [
                    {"type": "InternalIP", "address": f"10.110.0.{number}"},
                    {"type": "Hostname", "address": self.name},
                    {"type": "InternalDNS", "address": "127.0.0.1"},
                ],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet_port}},
                "nodeInfo": {
                    "architecture": "amd64",
                    "bootID": "",
                    "containerRuntimeVersion": "containerd://1.7.28",
                    "kernelVersion": "6.1.0",
                    "kubeProxyVersion": "",
                    "kubeletVersion": KUBERNETES_VERSION,
                    "machineID": "",
                    "operatingSystem": "linux",
                    "osImage": "simulated",
                    "systemUUID": "",
                },
            },
        }


def node_pool(
    prefix: str = "node",
    count: int = 3,
    *,
    capacity: Mapping[str, str] = SMALL,
    allocatable: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> tuple[SimulatedNode, ...]:
    """Returns identical nodes named `PREFIX-1` to `PREFIX-COUNT`.

    `allocatable` is what pods may request; a resource it does not name is allocatable up to `capacity`.
    """
    return tuple(
        SimulatedNode(
            name=f"{prefix}-{number}",
            capacity=capacity,
            allocatable={**capacity, **(allocatable or {})},
            labels=labels or {},
        )
        for number in range(1, count + 1)
    )


def daemon_set(name: str, requests: Mapping[str, str]) -> KubeObject:
    """Returns a DaemonSet in kube-system whose pods run on every node, whatever its taints."""
    pod = {
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "tolerations": [{"operator": "Exists"}],
    }
    return _workload("DaemonSet", name, requests, pod)


def deployment(name: str, requests: Mapping[str, str], *, replicas: int) -> KubeObject:
    """Returns a Deployment in kube-system."""
    pod = {"priorityClassName": "system-cluster-critical"}
    return _workload("Deployment", name, requests, pod, replicas=replicas)


def bound_pod(
    name: str, requests: Mapping[str, str], *, node: str, namespace: str, priority_class: str = ""
) -> KubeObject:
    """Returns a pod that is bound to a node already, so that the scheduler does not decide about it."""
    spec = {"nodeName": node, "priorityClassName": priority_class, "tolerations": [{"operator": "Exists"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec | {"containers": [_container(name, requests)]},
    }


def _workload(
    kind: str, name: str, requests: Mapping[str, str], pod: Mapping[str, Any], **spec: Any
) -> KubeObject:
    labels = {"k8s-app": name}
    containers = [_container(name, requests)]
    template = {"metadata": {"labels": labels}, "spec": {**pod, "containers": containers}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE, "labels": labels},
        "spec": {**spec, "selector": {"matchLabels": labels}, "template": template},
    }


def _container(name: str, requests: Mapping[str, str]) -> dict[str, Any]:
    return {"name": name, "image": f"simulated/{name}", "resources": {"requests": dict(requests)}}
