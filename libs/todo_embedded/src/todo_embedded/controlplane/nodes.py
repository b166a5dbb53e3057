"""The machines of a simulated cluster and what its provider runs on them.

The default is what a small DigitalOcean cluster shows of itself (`kubectl describe node` of s-2vcpu-4gb).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from todo_embedded.controlplane.api_client import Manifest
from todo_embedded.controlplane.binaries import KUBERNETES_VERSION

SYSTEM = "kube-system"


@dataclass(frozen=True, slots=True)
class Node:
    """A machine: resources as the API writes them (`1900m`, `3110Mi`), taints as in `spec.taints` of a node.

    `labels` are added to those that every node has.
    """

    name: str
    allocatable: Mapping[str, str]
    capacity: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Mapping[str, str]] = ()

    def manifest(self, number: int, kubelet_port: int) -> Manifest:
        """The object by which its kubelet would register; `number` (from 1) makes its address."""
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


def droplets(count: int = 3) -> tuple[Node, ...]:
    """DigitalOcean machines of 2 CPU and 4 GB (`s-2vcpu-4gb`), as pods find them."""
    return tuple(
        Node(
            name=f"pool-{number}",
            capacity={"cpu": "2", "memory": "4009092Ki", "pods": "110", "ephemeral-storage": "82535812Ki"},
            allocatable={
                "cpu": "1900m",
                "memory": "3110Mi",
                "pods": "110",
                "ephemeral-storage": "76065004031",
            },
            labels={
                "node.kubernetes.io/instance-type": "s-2vcpu-4gb",
                "topology.kubernetes.io/region": "fra1",
                "doks.digitalocean.com/node-pool": "pool",
            },
        )
        for number in range(1, count + 1)
    )


def daemon_set(name: str, requests: Mapping[str, str]) -> Manifest:
    """A pod of the provider's on every machine, whatever its taints."""
    pod = {
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "tolerations": [{"operator": "Exists"}],
    }
    return _workload("DaemonSet", name, requests, pod)


def deployment(name: str, requests: Mapping[str, str], *, replicas: int) -> Manifest:
    """Pods of the provider's that the scheduler places."""
    pod = {"priorityClassName": "system-cluster-critical"}
    return _workload("Deployment", name, requests, pod, replicas=replicas)


def occupant(
    name: str, requests: Mapping[str, str], *, node: str, namespace: str, priority_class: str = ""
) -> Manifest:
    """A pod that is on this machine whatever the scheduler thinks: one that was seen there."""
    spec = {"nodeName": node, "priorityClassName": priority_class, "tolerations": [{"operator": "Exists"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec | {"containers": [_container(name, requests)]},
    }


def _workload(
    kind: str, name: str, requests: Mapping[str, str], pod: Mapping[str, Any], **spec: Any
) -> Manifest:
    labels = {"k8s-app": name}
    containers = [_container(name, requests)]
    template = {"metadata": {"labels": labels}, "spec": {**pod, "containers": containers}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": SYSTEM, "labels": labels},
        "spec": {**spec, "selector": {"matchLabels": labels}, "template": template},
    }


def _container(name: str, requests: Mapping[str, str]) -> dict[str, Any]:
    return {"name": name, "image": f"simulated/{name}", "resources": {"requests": dict(requests)}}


DROPLETS = droplets()
DOKS_WORKLOADS: tuple[Manifest, ...] = (
    daemon_set("cilium", {"cpu": "300m", "memory": "300Mi"}),
    daemon_set("cpc-bridge-proxy", {"cpu": "100m", "memory": "75Mi"}),
    daemon_set("do-node-agent", {"cpu": "102m", "memory": "80Mi"}),
    daemon_set("kube-proxy", {"memory": "125Mi"}),
    deployment("coredns", {"cpu": "100m", "memory": "150M"}, replicas=2),
)
