"""Adds simulated nodes for pods that no node can take, as the autoscaler of a provider's node pools does.

It says in events what it does, in the words of the cluster autoscaler, because the release engine and people
read them. It never removes a node.
"""

import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from todo_embedded.controlplane.api_client import ApiClient
from todo_embedded.controlplane.kubelet_events import timestamp
from todo_embedded.controlplane.object_paths import KubeObject
from todo_embedded.controlplane.polling_controller import PollingController
from todo_release.adapters.kubernetes.api_resources import NODES, PODS
from todo_release.adapters.kubernetes.objects import EXPENDABLE_PRIORITY
from todo_release.adapters.kubernetes.quantities import millicores, size_bytes
from todo_release.config.preflight import NodePools
from todo_release.preflight.scheduling import pod_requirements

POLL_SECONDS = 1.0
PENDING_POLLS = 3  # a pod that the scheduler places meanwhile needs no node
HOST_LABEL = "kubernetes.io/hostname"
REGISTERED_BY_THE_NODE = ("allocatable", "capacity", "addresses", "daemonEndpoints", "nodeInfo")


class NodeAutoscaler(PollingController):
    """The autoscaler of all node pools, which works in a thread for the duration of the block.

    While `is_exhausted` the provider has no more nodes.
    """

    def __init__(self, api: ApiClient, pools: NodePools) -> None:
        """Prepares it; no node is added before the block begins."""
        super().__init__("node autoscaler", poll_seconds=POLL_SECONDS)
        self.is_exhausted = False
        self._api = api
        self._pools = pools
        self._polls: dict[str, int] = {}

    def poll(self) -> None:
        """Adds at most one node, because it may take all pods that wait."""
        pods = self._api.items(PODS.path())
        waiting = {pod["metadata"]["uid"]: pod for pod in pods if is_waiting(pod)}
        self._polls = {uid: self._polls.get(uid, 0) + 1 for uid in waiting}
        due = [pod for uid, pod in waiting.items() if self._polls[uid] == PENDING_POLLS]
        if not due:
            return
        pool = [node for node in self._api.items(NODES.path()) if self._is_in_pool(node)]
        can_add = bool(pool) and not self.is_exhausted and len(pool) < self._pools.max_nodes
        helped = [pod for pod in due if can_add and fits(pod, pool[0], pods)]
        if helped:
            self._api.create(another(pool[0]))
            self._polls = {}  # pods that still wait are looked at again
        for pod in due:
            refusal = "1 Insufficient cpu or memory" if can_add else "1 max node group size reached"
            self._api.create(_event(pod, "" if pod in helped else refusal))

    def _is_in_pool(self, node: KubeObject) -> bool:
        return self._pools.label in node["metadata"]["labels"]


def is_waiting(pod: KubeObject) -> bool:
    """Returns whether no node can take a pod, and none is being emptied for it.

    Pods of so low a priority that autoscalers ignore them do not count.
    """
    status = pod.get("status") or {}
    if (pod["spec"].get("priority") or 0) < EXPENDABLE_PRIORITY:
        return False
    return "nominatedNodeName" not in status and any(
        condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable"
        for condition in status.get("conditions") or ()
    )


def fits(pod: KubeObject, node: KubeObject, pods: Iterable[KubeObject]) -> bool:
    """Returns whether another node like this one could take a pod beside those of DaemonSets."""
    every = [other for other in pods if other["spec"].get("nodeName") == node["metadata"]["name"]]
    requests = [
        pod_requirements.of_live_pod(each).request for each in (pod, *filter(_is_of_daemon_set, every))
    ]
    allocatable = node["status"]["allocatable"]
    return sum(request.cpu for request in requests) <= millicores(allocatable["cpu"]) and sum(
        request.memory for request in requests
    ) <= size_bytes(allocatable["memory"])


def _is_of_daemon_set(pod: KubeObject) -> bool:
    return any(owner["kind"] == "DaemonSet" for owner in pod["metadata"].get("ownerReferences") or ())


def another(node: KubeObject) -> dict[str, Any]:
    """Returns the object with which another node of the same pool registers."""
    name = f"{node['metadata']['name']}-{uuid.uuid4().hex[:5]}"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**node["metadata"]["labels"], HOST_LABEL: name}},
        "spec": {"taints": list(_lasting_taints(node))},
        "status": {key: node["status"][key] for key in REGISTERED_BY_THE_NODE},
    }


def _lasting_taints(node: KubeObject) -> Iterator[KubeObject]:
    for taint in node["spec"].get("taints") or ():
        if not taint["key"].startswith("node.kubernetes.io/"):
            yield taint


def _event(pod: KubeObject, refusal: str) -> dict[str, Any]:
    meta, now = pod["metadata"], timestamp()
    about = {"apiVersion": "v1", "kind": "Pod"}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.{uuid.uuid4().hex}", "namespace": meta["namespace"]},
        "involvedObject": about | {key: meta[key] for key in ("namespace", "name", "uid")},
        "type": "Normal",
        "reason": "NotTriggerScaleUp" if refusal else "TriggeredScaleUp",
        "message": f"pod didn't trigger scale-up: {refusal}" if refusal else "pod triggered scale-up",
        "source": {"component": "cluster-autoscaler"},
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
    }
