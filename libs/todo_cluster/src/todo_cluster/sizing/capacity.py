"""Checks that everything fits the nodes, with one Deployment replaced at a time, and shows the sums."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from todo_cluster.errors import CapacityError
from todo_cluster.sizing import sizes
from todo_cluster.sizing.sizes import Part, Workload
from todo_release.core.tables import Table
from todo_release.preflight.scheduling.cluster_capacity import ClusterCapacity
from todo_release.preflight.scheduling.node_table import cpu_text, memory_text
from todo_release.preflight.scheduling.remedies import best_node
from todo_release.preflight.scheduling.resources import NodeCapacity, PodRequirements, ResourceAmount
from todo_release.preflight.scheduling.rolling_update import WorkloadChange, simulate_scheduler

COLUMNS = ("what", "pods", "cpu", "of all", "memory", "of all")


@dataclass(frozen=True, slots=True)
class Fit:
    """The result: the table, and what does not fit, in sentences."""

    table: Table
    problems: tuple[str, ...]

    def require(self) -> None:
        """Raises what does not fit.

        Raises:
            CapacityError: Something does not.
        """
        if self.problems:
            raise CapacityError(
                "The cluster is too small: " + " ".join(self.problems),
                remedy="Add nodes (digitalocean.pool.min_nodes), lower replicas or requests in the values, "
                "or leave out a component with `enabled: false` in cluster.yaml.",
            )


def examine(nodes: Sequence[NodeCapacity], parts: Sequence[Part]) -> Fit:
    """Returns whether all parts fit on the nodes, at rest and while any one Deployment is replaced."""
    if not nodes:
        return Fit(Table("Requests on no nodes", COLUMNS, ()), ("It has no nodes.",))
    whole = sum((node.allocatable for node in nodes), ResourceAmount())
    capacity = ClusterCapacity(nodes, [placed for part in parts for placed in part.running])
    workloads = [workload for part in parts for workload in part.workloads]
    at_rest = simulate_scheduler(capacity, list(_changes(workloads, nodes)))
    problems = [_shortage(at_rest.end, change.pod, change.name) for change in at_rest.stuck]
    problems += [f"{pod.owner} in {pod.namespace} would be evicted at once." for pod in at_rest.evicted]
    largest = max((item for item in workloads if item.surge), key=_size, default=None)
    if not problems:
        problems += [
            _shortage(at_rest.end, workload.pod, f"one more pod of {workload.name}, while it is replaced,")
            for workload in workloads
            if workload.surge and _rolls_out(at_rest.end, workload) is False
        ]
    rows = list(_rows(parts, len(nodes), whole, largest))
    title = f"Requests on {len(nodes)} nodes with {cpu_text(whole.cpu)} and {memory_text(whole.memory)}"
    return Fit(Table(title, COLUMNS, tuple(rows)), tuple(dict.fromkeys(problems)))


def _rolls_out(capacity: ClusterCapacity, workload: Workload) -> bool:
    """Returns whether one more pod of a workload fits, by evicting nobody of another kind of work."""
    placement = capacity.copy().place(workload.pod)
    return placement is not None and not placement.evicted


def _changes(workloads: Iterable[Workload], nodes: Sequence[NodeCapacity]) -> Iterable[WorkloadChange]:
    for workload in workloads:
        if workload.replicas is not None:
            yield WorkloadChange(name=workload.name, pod=workload.pod, replicas=workload.replicas)
            continue
        for node in nodes:
            pod = PodRequirements(
                owner=workload.name,
                namespace=workload.pod.namespace,
                request=workload.pod.request,
                tolerations=workload.pod.tolerations,
                priority=workload.pod.priority,
                only_node=node.name,
            )
            if ClusterCapacity([node]).eligible_nodes(pod):
                yield WorkloadChange(name=workload.name, pod=pod, replicas=1)


def _rows(
    parts: Sequence[Part], nodes: int, whole: ResourceAmount, largest: Workload | None
) -> Iterable[tuple[str, ...]]:
    pods, total = 0, ResourceAmount()
    for part in parts:
        count, amount = sizes.request_of(part, nodes)
        pods, total = pods + count, total + amount
        yield _row(part.name, count, amount, whole)
    yield _row("at rest", pods, total, whole)
    if largest is not None:
        yield _row(f"one more pod of {largest.name}", pods + 1, total + largest.pod.request, whole)


def _row(name: str, pods: int, amount: ResourceAmount, whole: ResourceAmount) -> tuple[str, ...]:
    return (
        name,
        str(pods),
        cpu_text(amount.cpu),
        f"{amount.cpu * 100 // max(whole.cpu, 1)} %",
        memory_text(amount.memory),
        f"{amount.memory * 100 // max(whole.memory, 1)} %",
    )


def _size(workload: Workload) -> tuple[int, int]:
    return workload.pod.request.cpu, workload.pod.request.memory


def _shortage(capacity: ClusterCapacity, pod: PodRequirements, name: str) -> str:
    best = best_node(capacity, pod)
    asked = f"{cpu_text(pod.request.cpu)} and {memory_text(pod.request.memory)}"
    if best is None:
        return f"{name} of {pod.namespace} may run on no node."
    free = capacity.free(best.name)
    return (
        f"{name} of {pod.namespace} requests {asked}; the best node, {best.name}, has "
        f"{cpu_text(max(free.cpu, 0))} and {memory_text(max(free.memory, 0))} left."
    )
