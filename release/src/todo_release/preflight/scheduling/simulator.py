"""Scheduling arithmetic: which node takes a pod, by the rules of the kube-scheduler. Pure.

Looked at are requests against what a node can give, its limit of pods, taints, cordons, nodeSelector,
required node affinity, topology spread that must hold, the quota of a namespace, and preemption. Not looked
at are affinity between pods, zones of volumes, host ports and devices: they can only make less fit, so a pod
that does not fit here fits nowhere. How a rolling update uses this room is played in
`scheduling.rolling_update`.

Preemption is the scheduler's: a pod that fits nowhere may push out pods of a lower PriorityClass unless its
own class says Never, on the node where the most important pod that must go is the least important, then where
the fewest must go. Disruption budgets are not honoured, as the scheduler too honours them only when it can.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.kubernetes.selectors import Labels, admits, selects, untolerated

Order = Literal["spread", "pack"]
REVISION = "pod-template-hash"


@dataclass(frozen=True, slots=True)
class Amount:
    """CPU in millicores, memory in bytes."""

    cpu: int = 0
    memory: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        """Both together."""
        return Amount(self.cpu + other.cpu, self.memory + other.memory)

    def __sub__(self, other: "Amount") -> "Amount":
        """What is left; below zero where it is not enough."""
        return Amount(self.cpu - other.cpu, self.memory - other.memory)

    def fits_in(self, room: "Amount") -> bool:
        """Whether there is room for it; who asks for nothing fits where too much is taken already."""
        return (self.cpu <= room.cpu or not self.cpu) and (self.memory <= room.memory or not self.memory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node: what its pods may request altogether, how many they may be, and whom it keeps out."""

    name: str
    allocatable: Amount
    pods: int = 110
    labels: Labels = field(default_factory=dict)
    taints: tuple[JsonObject, ...] = ()
    is_cordoned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """What the scheduler looks at in a pod. `only_node` is the one node that a DaemonSet's pod is meant
    for.
    """

    owner: str
    namespace: str
    request: Amount
    limit: Amount = Amount()
    labels: Labels = field(default_factory=dict)
    node_selector: Labels = field(default_factory=dict)
    node_terms: tuple[JsonObject, ...] = ()
    tolerations: tuple[JsonObject, ...] = ()
    spread: tuple[JsonObject, ...] = ()
    priority: int = 0
    may_preempt: bool = True
    only_node: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """What pods of a namespace may still take: amounts by `requests.cpu`, `limits.memory`, `pods` and the
    like.
    """

    namespace: str
    left: Mapping[str, int]

    def after(self, pod: Shape, sign: int = 1) -> "Quota":
        """The quota with a pod more; with `sign` -1, one less."""
        if pod.namespace != self.namespace:
            return self
        takes = _taken(pod)
        return Quota(self.namespace, {key: left - sign * takes[key] for key, left in self.left.items()})

    def lacks(self, pod: Shape) -> str | None:
        """The first thing of which there is not enough for a pod; None when there is."""
        if pod.namespace != self.namespace:
            return None
        takes = _taken(pod)
        return next((key for key, left in self.left.items() if takes[key] > max(left, 0)), None)


QUOTA_KEYS = ("pods", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")


def _taken(pod: Shape) -> Mapping[str, int]:
    numbers = (1, pod.request.cpu, pod.request.memory, pod.limit.cpu, pod.limit.memory)
    return dict(zip(QUOTA_KEYS, numbers, strict=True))


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a pod goes, and which pods must go for it."""

    node: Node
    victims: tuple[Shape, ...] = ()


class Room:
    """Nodes and the pods on them; pods are put and taken, nodes do not change."""

    def __init__(
        self, nodes: Iterable[Node], placed: Iterable[tuple[str, Shape]] = (), quota: Quota | None = None
    ) -> None:
        """`placed` names the node of each pod that runs; pods on other nodes than these are left out."""
        self.nodes = {node.name: node for node in nodes}
        self.quota = quota
        self._pods: dict[str, list[Shape]] = {name: [] for name in self.nodes}
        self._used = dict.fromkeys(self.nodes, Amount())
        for node, pod in placed:
            if node in self.nodes:
                self._pods[node].append(pod)
                self._used[node] += pod.request

    def copy(self, extra: Iterable[tuple[Node, Sequence[Shape]]] = ()) -> "Room":
        """The same room to try things in; `extra` nodes come with the pods that every node has."""
        made = Room(self.nodes.values(), quota=self.quota)
        made._pods = {name: list(pods) for name, pods in self._pods.items()}
        made._used = dict(self._used)
        for node, pods in extra:
            made.nodes[node.name] = node
            made._pods[node.name] = list(pods)
            made._used[node.name] = sum((pod.request for pod in pods), Amount())
        return made

    def pods_on(self, node: str) -> Sequence[Shape]:
        """The pods of a node."""
        return self._pods[node]

    def used(self, node: str) -> Amount:
        """What the pods of a node request."""
        return self._used[node]

    def free(self, node: str) -> Amount:
        """What a node can still give."""
        return self.nodes[node].allocatable - self._used[node]

    def put(self, pod: Shape, node: str) -> None:
        """Let a pod run on a node."""
        self._pods[node].append(pod)
        self._used[node] += pod.request
        if self.quota:
            self.quota = self.quota.after(pod)

    def take(self, pod: Shape, node: str) -> None:
        """Let a pod go; nothing happens when it was pushed out before, or its node is not here."""
        if pod in self._pods.get(node, ()):
            self._pods[node].remove(pod)
            self._used[node] -= pod.request
            if self.quota:
                self.quota = self.quota.after(pod, -1)

    def place(self, pod: Shape, order: Order = "pack") -> Placement | None:
        """Put a pod where it fits, pushing others out if it may and must; None when it fits nowhere.

        `spread` takes the emptiest node, as the scheduler does by default; `pack` the fullest that has room.
        """
        if self.quota and self.quota.lacks(pod):
            return None
        open_nodes = self.open_to(pod)
        fitting = [
            node
            for node in open_nodes
            if self._fits(pod, self.free(node.name), node, len(self._pods[node.name]))
        ]
        if fitting:
            choose = max if order == "spread" else min
            best = Placement(choose(fitting, key=self._emptiness))
        elif not (options := list(self._preemptions(pod, open_nodes))):
            return None
        else:
            best = min(
                options, key=lambda one: (max(each.priority for each in one.victims), len(one.victims))
            )
        for victim in best.victims:
            self.take(victim, best.node.name)
        self.put(pod, best.node.name)
        return best

    def open_to(self, pod: Shape) -> list[Node]:
        """The nodes that would take a pod if they had room."""
        return [node for node in self.nodes.values() if self.refusal(pod, node) is None]

    def refusal(self, pod: Shape, node: Node) -> str | None:
        """Why a node does not take a pod, room aside; None when it does."""
        if pod.only_node not in {"", node.name}:
            return "is another node"
        if node.is_cordoned:
            return "is cordoned"
        if taints := untolerated(node.taints, pod.tolerations):
            return f"has the taint {taints[0]['key']}"
        if not _is_chosen(pod, node):
            return "is not selected"
        if not all(self._is_even(pod, node, rule) for rule in pod.spread):
            return "would make the spread uneven"
        return None

    @staticmethod
    def _fits(pod: Shape, free: Amount, node: Node, pods: int) -> bool:
        return pods < node.pods and pod.request.fits_in(free)

    def _emptiness(self, node: Node) -> float:
        free, whole = self.free(node.name), node.allocatable
        return free.cpu / max(whole.cpu, 1) + free.memory / max(whole.memory, 1)

    def _preemptions(self, pod: Shape, nodes: Iterable[Node]) -> Iterator[Placement]:
        if not pod.may_preempt:
            return
        for node in nodes:
            there = self._pods[node.name]
            lesser = sorted((one for one in there if one.priority < pod.priority), key=_importance)
            victims: list[Shape] = []
            free = self.free(node.name)
            while lesser and not self._fits(pod, free, node, len(there) - len(victims)):
                victims.append(lesser.pop(0))
                free += victims[-1].request
            if victims and self._fits(pod, free, node, len(there) - len(victims)):
                yield Placement(node, tuple(victims))

    def _is_even(self, pod: Shape, node: Node, rule: JsonObject) -> bool:
        """Whether a topology spread that must hold still does with a pod more on a node."""
        key = rule["topologyKey"]
        if key not in node.labels:
            return False
        revision = {name: pod.labels.get(name) for name in rule.get("matchLabelKeys") or ()}
        counts: dict[str, int] = {}
        for one in self.nodes.values():
            if key in one.labels and _is_chosen(pod, one):
                counts[one.labels[key]] = counts.get(one.labels[key], 0) + sum(
                    each.namespace == pod.namespace
                    and selects(rule.get("labelSelector"), each.labels)
                    and all(each.labels.get(name) == value for name, value in revision.items())
                    for each in self._pods[one.name]
                )
        return counts[node.labels[key]] + 1 - min(counts.values()) <= int(rule["maxSkew"])


def _is_chosen(pod: Shape, node: Node) -> bool:
    return pod.node_selector.items() <= node.labels.items() and (
        not pod.node_terms or admits(pod.node_terms, node.name, node.labels)
    )


def _importance(pod: Shape) -> tuple[int, int, int]:
    """The least important first, of these the largest: fewer must go."""
    return pod.priority, -pod.request.cpu, -pod.request.memory
