"""Checks that nodes and quota have capacity for the release's peak, and says what would help otherwise.

`scheduling` simulates; this module turns its results into findings.
"""

from collections.abc import Iterable, Iterator

from todo_release.adapters.kubernetes.api_resources import (
    DEPLOYMENTS,
    LIMIT_RANGES,
    NODES,
    PODS,
    PRIORITY_CLASSES,
    QUOTAS,
)
from todo_release.adapters.kubernetes.objects import EXPENDABLE_PRIORITY
from todo_release.core.yaml_positions import YamlPath
from todo_release.preflight.check import PreflightCheck
from todo_release.preflight.checks.container_limits import limits_are_admitted
from todo_release.preflight.finding import Finding, Findings, error, warning
from todo_release.preflight.scheduling.cluster_capacity import ClusterCapacity
from todo_release.preflight.scheduling.node_table import cpu_text, memory_text
from todo_release.preflight.scheduling.planned_rollout import PlannedRollout, autoscaler_of, planned_rollout
from todo_release.preflight.scheduling.remedies import (
    affordable_request,
    best_node,
    find_remedies,
    with_nodes,
)
from todo_release.preflight.scheduling.resources import PodRequirements, RemainingQuota
from todo_release.preflight.scheduling.rolling_update import (
    Simulation,
    WorkloadChange,
    simulate,
    simulate_scheduler,
)
from todo_release.preflight.snapshot import PreflightSnapshot

MAX_NAMED = 3
HOOK_OUTCOME = ": the hook never starts and the release ends there"


def _rollout_fits(snapshot: PreflightSnapshot) -> Findings:
    rollout = planned_rollout(snapshot)
    if not rollout.capacity.nodes:
        yield error("Cluster", "The cluster has no nodes.", "Add a node pool.")
        return
    yield from _hook_findings(snapshot, rollout)
    yield from _rolling_findings(snapshot, rollout)
    yield from _autoscaling_findings(snapshot, rollout)


def _rolling_findings(snapshot: PreflightSnapshot, rollout: PlannedRollout) -> Findings:
    """Checks that the rolling update finishes: at once, in turns, with more nodes, or not at all."""
    spread = simulate(rollout.capacity, rollout.changes, "spread")
    if spread.stuck and (packed := simulate(rollout.capacity, rollout.changes, "pack")).stuck:
        yield from _stuck_findings(snapshot, rollout, packed)
        return
    names = _listed({change.name for change in (spread.stuck or spread.waiting)})
    if spread.stuck:
        yield warning(
            spread.stuck[0].name,
            f"{names} fit only if the scheduler packs the nodes tightly, which it does not.",
            "Add a node, or lower requests.",
        )
    elif spread.waiting:
        yield warning(
            spread.waiting[0].name,
            f"Not all workloads can roll at once: {names} must wait until others have removed old pods.",
            "The rollout takes longer; add a node or lower requests if that is too long.",
        )
    evicted = _listed({f"{pod.namespace}/{pod.owner}" for pod in spread.evicted})
    if evicted:
        yield warning(
            f"Namespace/{snapshot.namespace}",
            f"The scheduler will evict pods of lower priority: {evicted}.",
            "Add a node if those must go on running.",
        )


def _stuck_findings(
    snapshot: PreflightSnapshot, rollout: PlannedRollout, stuck: Simulation, outcome: str = ""
) -> Iterator[Finding]:
    """Checks what more nodes would change; pods of a very low priority only use those added for others."""
    helped = [change for change in stuck.stuck if _adds_nodes(change)]
    may_add = _nodes_autoscaler_may_add(snapshot, rollout.capacity) if helped else 0
    for count in range(1, may_add + 1):
        grown = simulate_scheduler(with_nodes(rollout.capacity, count), rollout.changes)
        if not any(_adds_nodes(change) for change in grown.stuck):
            yield _needs_nodes(stuck, helped[0], count)
            stuck = grown
            break
    for change in stuck.stuck:
        yield error(
            change.name,
            f"{_shortage(stuck.end, change)}{_ignored_by_autoscaler(snapshot, change)}{outcome}.",
            _advice(rollout, stuck, change),
            _request_field(snapshot, stuck.end, change),
        )


def _needs_nodes(stuck: Simulation, change: WorkloadChange, count: int) -> Finding:
    return warning(
        change.name,
        f"{_shortage(stuck.end, change)}: the autoscaler must add {_nodes_text(count)}, which takes minutes.",
        "Add it beforehand if the rollout should not wait.",
    )


def _adds_nodes(change: WorkloadChange) -> bool:
    """Returns whether an autoscaler adds nodes for the pods of a workload."""
    return change.pod.priority >= EXPENDABLE_PRIORITY


def _ignored_by_autoscaler(snapshot: PreflightSnapshot, change: WorkloadChange) -> str:
    if _adds_nodes(change) or snapshot.config.preflight.node_pools is None:
        return ""
    return (
        f", and the autoscaler adds no node for pods whose priority ({change.pod.priority}) is below "
        f"{EXPENDABLE_PRIORITY}"
    )


def _hook_findings(snapshot: PreflightSnapshot, rollout: PlannedRollout) -> Findings:
    """Checks each hook alone, because Helm runs hooks one after another before it changes anything."""
    for hook in rollout.hooks:
        simulation = simulate_scheduler(rollout.capacity, [hook])
        alone = PlannedRollout(rollout.capacity, (hook,), ())
        yield from _stuck_findings(snapshot, alone, simulation, HOOK_OUTCOME)


def _autoscaling_findings(snapshot: PreflightSnapshot, rollout: PlannedRollout) -> Findings:
    """Checks that autoscalers can reach maxReplicas after the release."""
    simulation = simulate_scheduler(rollout.capacity, rollout.changes)
    if simulation.stuck:
        return
    grown = with_nodes(simulation.end, _nodes_autoscaler_may_add(snapshot, rollout.capacity))
    unplaced: dict[str, int] = {}
    additional = 0
    for change in rollout.changes:
        capacity = grown if _adds_nodes(change) else simulation.end
        owner = snapshot.manifest.find(*change.name.split("/"))
        autoscaler = autoscaler_of(snapshot, owner) if owner else None
        for _ in range(int(autoscaler.spec["maxReplicas"]) - change.replicas if autoscaler else 0):
            additional += 1
            if capacity.place(change.pod) is None:
                unplaced[change.name] = unplaced.get(change.name, 0) + 1
    if unplaced:
        counts = ", ".join(f"{name.partition('/')[2]} {count}" for name, count in unplaced.items())
        yield warning(
            f"Namespace/{snapshot.namespace}",
            f"At maxReplicas the autoscalers want {additional} more pods, and {sum(unplaced.values())} of "
            f"them fit nowhere ({counts}).",
            "Add nodes before a busy time, lower maxReplicas, or set preflight.node_pools in release.yaml if "
            "the cluster adds nodes by itself.",
        )


def _nodes_autoscaler_may_add(snapshot: PreflightSnapshot, capacity: ClusterCapacity) -> int:
    """Returns how many nodes the cluster may add by itself, 0 where it has no node pool that grows."""
    pools = snapshot.config.preflight.node_pools
    in_pool = sum(pools.label in node.labels for node in capacity.nodes.values()) if pools else 0
    return max(0, pools.max_nodes - in_pool) if pools and in_pool else 0


def _advice(rollout: PlannedRollout, stuck: Simulation, change: WorkloadChange) -> str:
    """Returns what would help a stuck workload, in a sentence."""
    remedies = find_remedies(rollout.capacity, rollout.changes, stuck)
    options = []
    if remedies.without_surge:
        options.append("set maxSurge 0 and maxUnavailable 1")
    if remedies.smaller_requests:
        options.append(f"lower its request to {_affordable_text(stuck.end, change.pod)}")
    if remedies.new_nodes:
        options.append(f"add {_nodes_text(remedies.new_nodes)}")
    if remedies.larger_quota:
        options.append("raise the quota")
    if not options:
        return "No single change helps: lower several requests, or use larger nodes."
    advice = ", or ".join([", ".join(options[:-1]), options[-1]] if len(options) > 1 else options)
    return f"{advice[:1].upper()}{advice[1:]}."


def _affordable_text(capacity: ClusterCapacity, pod: PodRequirements) -> str:
    affordable = affordable_request(capacity, pod)
    parts = [cpu_text(affordable.cpu)] if affordable.cpu < pod.request.cpu else []
    parts += [memory_text(affordable.memory)] if affordable.memory < pod.request.memory else []
    return " and ".join(parts)


def _shortage(capacity: ClusterCapacity, change: WorkloadChange) -> str:
    """Returns what one more pod of a workload needs and the cluster lacks."""
    pod, name = change.pod, change.name.partition("/")[2]
    key = capacity.quota.shortage(pod) if capacity.quota else None
    if key and capacity.quota:
        request = f"{cpu_text(pod.request.cpu)} and {memory_text(pod.request.memory)}"
        return f"{name} needs {request}, the quota has {_quota_text(capacity.quota, key)} left"
    best = best_node(capacity, pod)
    if best is None:
        reasons = [f"{node.name} {capacity.rejection(pod, node)}" for node in capacity.nodes.values()]
        return f"{name} finds no eligible node: {'; '.join(reasons[:MAX_NAMED])}"
    free, request_amount = capacity.free(best.name), pod.request
    missing = []
    if request_amount.cpu > free.cpu:
        missing.append((cpu_text(request_amount.cpu), cpu_text(max(free.cpu, 0))))
    if request_amount.memory > free.memory:
        missing.append((memory_text(request_amount.memory), memory_text(max(free.memory, 0))))
    if not missing:
        return f"{name} fits nowhere: {best.name} runs all the {best.max_pods} pods that it may"
    needed, available = (" and ".join(texts) for texts in zip(*missing, strict=True))
    return f"{name} needs {needed}, the best node ({best.name}) has {available}"


def _quota_text(quota: RemainingQuota, key: str) -> str:
    remaining = max(quota.remaining[key], 0)
    if key == "pods":
        return f"{remaining} of {key}"
    return f"{cpu_text(remaining) if key.endswith('cpu') else memory_text(remaining)} of {key}"


def _request_field(
    snapshot: PreflightSnapshot, capacity: ClusterCapacity, change: WorkloadChange
) -> YamlPath:
    """Returns the field of the request that is too large, in the first container of the workload's pods."""
    best = best_node(capacity, change.pod)
    lacks_cpu = best is None or change.pod.request.cpu > capacity.free(best.name).cpu
    for template in snapshot.manifest.pods():
        if template.owner.subject == change.name:
            requests = (*template.field, "spec", "containers", 0, "resources", "requests")
            return (*requests, "cpu" if lacks_cpu else "memory")
    return ()


def _listed(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - MAX_NAMED} more" if len(listed) > MAX_NAMED else ""
    return ", ".join(listed[:MAX_NAMED]) + more


def _nodes_text(count: int) -> str:
    return "a node" if count == 1 else f"{count} nodes"


CHECK = PreflightCheck(
    id="capacity",
    title="the nodes have capacity",
    needs=(NODES, PODS, PRIORITY_CLASSES, QUOTAS, LIMIT_RANGES, DEPLOYMENTS),
    rules=(_rollout_fits, limits_are_admitted),
)
