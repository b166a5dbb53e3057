"""Places pods on nodes by the rules of the kube-scheduler. Pure.

Considered are requests against allocatable resources, the pod limit of a node, taints, cordons, nodeSelector,
required node affinity, topology spread constraints with DoNotSchedule, the ResourceQuota of a namespace, and
preemption. Not considered are affinity between pods, zones of volumes, host ports and devices: each of them
only excludes nodes, so a pod that does not fit here fits nowhere. `rolling_update` simulates whole rollouts.

Preemption follows the scheduler: a pod that fits nowhere may evict pods of a lower PriorityClass unless its
own class says Never. Chosen is the node where the highest priority among the evicted pods is lowest, then the
node where the fewest are evicted. Disruption budgets are ignored, because the scheduler too may violate them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.kubernetes.selectors import admits, selects, untolerated
from todo_release.preflight.scheduling.resources import (
    NodeCapacity,
    PodRequirements,
    RemainingQuota,
    ResourceAmount,
)

# NodeResourcesFit: `spread` is LeastAllocated, the scheduler's default; `pack` is MostAllocated.
Scoring = Literal["spread", "pack"]


@dataclass(frozen=True, slots=True)
class Placement:
    """The node that a pod was placed on, and the pods that were evicted for it."""

    node: NodeCapacity
    evicted: tuple[PodRequirements, ...] = ()


class ClusterCapacity:
    """Nodes and the pods on them; pods are added and removed, nodes do not change."""

    def __init__(
        self,
        nodes: Iterable[NodeCapacity],
        placed: Iterable[tuple[str, PodRequirements]] = (),
        quota: RemainingQuota | None = None,
    ) -> None:
        """`placed` holds running pods with the name of their node; pods on unknown nodes are ignored."""
        self.nodes = {node.name: node for node in nodes}
        self.quota = quota
        self._pods: dict[str, list[PodRequirements]] = {name: [] for name in self.nodes}
        self._used = dict.fromkeys(self.nodes, ResourceAmount())
        for node, pod in placed:
            if node in self.nodes:
                self._pods[node].append(pod)
                self._used[node] += pod.request

    def copy(
        self, extra_nodes: Iterable[tuple[NodeCapacity, Sequence[PodRequirements]]] = ()
    ) -> "ClusterCapacity":
        """Returns an independent copy, with `extra_nodes` and the pods that run on each of them."""
        copied = ClusterCapacity(self.nodes.values(), quota=self.quota)
        copied._pods = {name: list(pods) for name, pods in self._pods.items()}
        copied._used = dict(self._used)
        for node, pods in extra_nodes:
            copied.nodes[node.name] = node
            copied._pods[node.name] = list(pods)
            copied._used[node.name] = sum((pod.request for pod in pods), ResourceAmount())
        return copied

    def pods_on(self, node: str) -> Sequence[PodRequirements]:
        """Returns the pods of a node."""
        return self._pods[node]

    def used(self, node: str) -> ResourceAmount:
        """Returns what the pods of a node request together."""
        return self._used[node]

    def free(self, node: str) -> ResourceAmount:
        """Returns what is allocatable on a node and not requested."""
        return self.nodes[node].allocatable - self._used[node]

    def add(self, pod: PodRequirements, node: str) -> None:
        """Adds a pod to a node without checking that it fits."""
        self._pods[node].append(pod)
        self._used[node] += pod.request
        if self.quota:
            self.quota = self.quota.with_pod(pod)

    def remove(self, pod: PodRequirements, node: str) -> None:
        """Removes a pod; does nothing when it was evicted before or its node is unknown."""
        if pod in self._pods.get(node, ()):
            self._pods[node].remove(pod)
            self._used[node] -= pod.request
            if self.quota:
                self.quota = self.quota.without_pod(pod)

    def place(self, pod: PodRequirements, scoring: Scoring = "pack") -> Placement | None:
        """Places a pod where it fits, evicting others if it may and must; None when it fits nowhere."""
        if self.quota and self.quota.shortage(pod):
            return None
        eligible = self.eligible_nodes(pod)
        fitting = [
            node
            for node in eligible
            if self._fits(pod, self.free(node.name), node, len(self._pods[node.name]))
        ]
        if fitting:
            choose = max if scoring == "spread" else min
            best = Placement(choose(fitting, key=self._free_share))
        elif not (options := list(self._preemptions(pod, eligible))):
            return None
        else:
            best = min(options, key=_eviction_cost)
        for evicted in best.evicted:
            self.remove(evicted, best.node.name)
        self.add(pod, best.node.name)
        return best

    def eligible_nodes(self, pod: PodRequirements) -> list[NodeCapacity]:
        """Returns the nodes that would accept a pod if they had enough free resources."""
        return [node for node in self.nodes.values() if self.rejection(pod, node) is None]

    def rejection(self, pod: PodRequirements, node: NodeCapacity) -> str | None:
        """Returns why a node does not accept a pod, free resources aside; None when it does."""
        if pod.only_node not in {"", node.name}:
            return "is another node"
        if node.is_cordoned:
            return "is cordoned"
        if taints := untolerated(node.taints, pod.tolerations):
            return f"has the taint {taints[0]['key']}"
        if not _is_selected(pod, node):
            return "does not match the node selector"
        if not all(self._keeps_spread(pod, node, constraint) for constraint in pod.topology_spread):
            return "would break a topology spread constraint"
        return None

    @staticmethod
    def _fits(pod: PodRequirements, free: ResourceAmount, node: NodeCapacity, pods: int) -> bool:
        return pods < node.max_pods and pod.request.fits_in(free)

    def _free_share(self, node: NodeCapacity) -> float:
        free, whole = self.free(node.name), node.allocatable
        return free.cpu / max(whole.cpu, 1) + free.memory / max(whole.memory, 1)

    def _preemptions(self, pod: PodRequirements, nodes: Iterable[NodeCapacity]) -> Iterator[Placement]:
        if not pod.may_preempt:
            return
        for node in nodes:
            running = self._pods[node.name]
            candidates = sorted(
                (other for other in running if other.priority < pod.priority), key=_importance
            )
            evicted: list[PodRequirements] = []
            free = self.free(node.name)
            while candidates and not self._fits(pod, free, node, len(running) - len(evicted)):
                evicted.append(candidates.pop(0))
                free += evicted[-1].request
            if evicted and self._fits(pod, free, node, len(running) - len(evicted)):
                yield Placement(node, tuple(evicted))

    def _keeps_spread(self, pod: PodRequirements, node: NodeCapacity, constraint: JsonObject) -> bool:
        """Returns whether a topology spread constraint still holds with one more pod on a node."""
        key = constraint["topologyKey"]
        if key not in node.labels:
            return False
        counts: dict[str, int] = {}
        for candidate in self.nodes.values():
            if key in candidate.labels and _is_selected(pod, candidate):
                domain = candidate.labels[key]
                matching = sum(_counts_for(constraint, pod, other) for other in self._pods[candidate.name])
                counts[domain] = counts.get(domain, 0) + matching
        return counts[node.labels[key]] + 1 - min(counts.values()) <= int(constraint["maxSkew"])


def _is_selected(pod: PodRequirements, node: NodeCapacity) -> bool:
    return pod.node_selector.items() <= node.labels.items() and (
        not pod.node_affinity_terms or admits(pod.node_affinity_terms, node.name, node.labels)
    )


def _counts_for(constraint: JsonObject, pod: PodRequirements, other: PodRequirements) -> bool:
    """Returns whether a running pod counts for the topology spread constraint of another pod."""
    same_keys = constraint.get("matchLabelKeys") or ()
    return (
        other.namespace == pod.namespace
        and selects(constraint.get("labelSelector"), other.labels)
        and all(other.labels.get(key) == pod.labels.get(key) for key in same_keys)
    )


def _importance(pod: PodRequirements) -> tuple[int, int, int]:
    """Returns a sort key: the lowest priority first, then the largest pods, so that fewer are evicted."""
    return pod.priority, -pod.request.cpu, -pod.request.memory


def _eviction_cost(placement: Placement) -> tuple[int, int]:
    return max(pod.priority for pod in placement.evicted), len(placement.evicted)
