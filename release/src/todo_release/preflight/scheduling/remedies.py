"""Tries out what would let a stuck rollout finish: no surge, smaller requests, more nodes, a larger quota."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from todo_release.preflight.scheduling.cluster_capacity import ClusterCapacity
from todo_release.preflight.scheduling.resources import NodeCapacity, PodRequirements, ResourceAmount
from todo_release.preflight.scheduling.rolling_update import Simulation, WorkloadChange, simulate_scheduler

HOSTNAME = "kubernetes.io/hostname"
MIN_USEFUL_REQUEST = ResourceAmount(10, 16 * 2**20)  # nobody sets a request below this on purpose
MAX_NEW_NODES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedies:
    """What lets the whole rollout finish, each tried alone; `new_nodes` is 0 where nodes do not help."""

    without_surge: bool
    smaller_requests: bool
    new_nodes: int
    larger_quota: bool


def find_remedies(
    capacity: ClusterCapacity, changes: Sequence[WorkloadChange], stuck: Simulation
) -> Remedies:
    """Returns what would let the whole rollout finish, each applied to all workloads that are stuck."""
    names = {change.name for change in stuck.stuck}

    def finishes(
        changed: ClusterCapacity, adjust: Callable[[WorkloadChange], WorkloadChange] = lambda change: change
    ) -> bool:
        adjusted = [adjust(change) if change.name in names else change for change in changes]
        return not simulate_scheduler(changed, adjusted).stuck

    def without_surge(change: WorkloadChange) -> WorkloadChange:
        return replace(change, max_surge=0, max_unavailable=max(change.max_unavailable, 1))

    def smaller(change: WorkloadChange) -> WorkloadChange:
        return replace(change, pod=replace(change.pod, request=affordable_request(stuck.end, change.pod)))

    unlimited = capacity.copy()
    unlimited.quota = None
    return Remedies(
        without_surge=any(change.max_surge for change in stuck.stuck) and finishes(capacity, without_surge),
        smaller_requests=all(_is_useful(stuck.end, change.pod) for change in stuck.stuck)
        and finishes(capacity, smaller),
        new_nodes=next(
            (count for count in range(1, MAX_NEW_NODES + 1) if finishes(with_nodes(capacity, count))), 0
        ),
        larger_quota=_is_quota_exceeded(stuck) and finishes(unlimited),
    )


def with_nodes(capacity: ClusterCapacity, count: int) -> ClusterCapacity:
    """Returns the capacity with more nodes like the largest usable one, each with its DaemonSet pods."""
    usable = [node for node in capacity.nodes.values() if not node.is_cordoned]
    model = max(usable or capacity.nodes.values(), key=_allocatable)
    daemons = [pod for pod in capacity.pods_on(model.name) if pod.owner.startswith("DaemonSet/")]
    extra_nodes = []
    for number in range(1, count + 1):
        name = f"new-{number}"
        extra_nodes.append((replace(model, name=name, labels={**model.labels, HOSTNAME: name}), daemons))
    return capacity.copy(extra_nodes)


def affordable_request(capacity: ClusterCapacity, pod: PodRequirements) -> ResourceAmount:
    """Returns the largest request, up to the pod's own, that its best node and the quota still cover."""
    best = best_node(capacity, pod)
    free = capacity.free(best.name) if best else ResourceAmount()
    cpu = min(pod.request.cpu, free.cpu // 10 * 10)
    memory = min(pod.request.memory, free.memory // 2**20 * 2**20)
    remaining = capacity.quota.remaining if capacity.quota else {}
    return ResourceAmount(
        min(cpu, remaining.get("requests.cpu", cpu)),
        min(memory, remaining.get("requests.memory", memory)),
    )


def best_node(capacity: ClusterCapacity, pod: PodRequirements) -> NodeCapacity | None:
    """Returns the eligible node that covers the largest share of a pod's scarcest request."""

    def covered_share(node: NodeCapacity) -> float:
        free = capacity.free(node.name)
        return min(free.cpu / max(pod.request.cpu, 1), free.memory / max(pod.request.memory, 1))

    return max(capacity.eligible_nodes(pod), key=covered_share, default=None)


def _is_useful(capacity: ClusterCapacity, pod: PodRequirements) -> bool:
    """Returns whether the affordable request of a pod is large enough to be suggested."""
    request, affordable = pod.request, affordable_request(capacity, pod)
    return (affordable.cpu >= MIN_USEFUL_REQUEST.cpu or affordable.cpu == request.cpu) and (
        affordable.memory >= MIN_USEFUL_REQUEST.memory or affordable.memory == request.memory
    )


def _is_quota_exceeded(simulation: Simulation) -> bool:
    quota = simulation.end.quota
    return quota is not None and any(quota.shortage(change.pod) for change in simulation.stuck)


def _allocatable(node: NodeCapacity) -> tuple[int, int]:
    return node.allocatable.cpu, node.allocatable.memory
