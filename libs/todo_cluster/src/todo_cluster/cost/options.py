"""Alternatives, and what each would change on the bill.

Money is saved where a node or a volume goes, so each alternative is tried out with the simulation of the
scheduler: how many nodes does it need, with one Deployment replaced at a time?
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from todo_cluster.config.costs import CostSettings
from todo_cluster.config.provider import DigitalOceanCluster
from todo_cluster.sizing.capacity import examine
from todo_cluster.sizing.sizes import Part
from todo_release.preflight.scheduling.resources import NodeCapacity

HOSTNAME = "kubernetes.io/hostname"
HOURS_OF_A_WEEK = 168
MOST_NODES = 10
LOGGING = ("loki", "alloy")  # components that only logs need; the first one has the volume
LARGE_GIB = 10  # half of a smaller volume is not worth a line


@dataclass(frozen=True, slots=True)
class Option:
    """One alternative: the nodes that it needs (0: more than a pool may have), and dollars saved a month."""

    name: str
    nodes: int
    saves: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the alternatives start from: a node like the cluster's, the parts, and the node's price.

    `environments` are the names of the parts that are environments.
    """

    node: NodeCapacity
    parts: Sequence[Part]
    environments: tuple[str, ...]
    price: float
    settings: DigitalOceanCluster
    costs: CostSettings


def options_of(situation: Situation) -> list[Option]:
    """Returns the alternatives, the most saving first."""
    return sorted(_options(situation), key=lambda option: -option.saves)


def nodes_needed(node: NodeCapacity, parts: Sequence[Part]) -> int:
    """Returns the least number of equal nodes that the parts fit on; 0 when no number is enough."""
    for count in range(1, MOST_NODES + 1):
        nodes = [
            replace(node, name=f"node-{number}", labels={**node.labels, HOSTNAME: f"node-{number}"})
            for number in range(1, count + 1)
        ]
        if not examine(nodes, parts).problems:
            return count
    return 0


def _options(situation: Situation) -> Iterator[Option]:
    costs, pool = situation.costs, situation.settings.pool
    share = costs.asleep_hours / HOURS_OF_A_WEEK
    sleep = f"{costs.sleeping} asleep for {costs.asleep_hours:.0f} of {HOURS_OF_A_WEEK} hours"

    def single(part: Part) -> Part:
        return _single(part, situation.environments)

    def awake(part: Part) -> Part | None:
        return None if part.name == costs.sleeping else part

    def without_logs(part: Part) -> Part | None:
        return None if part.name in LOGGING else part

    now = _alternative(situation, "as configured", lambda part: part)
    yield replace(now, saves=0, note=f"the pool keeps {pool.min_nodes}, up to {pool.max_nodes}")
    yield _alternative(situation, sleep, awake, share)
    yield _alternative(situation, "one replica of each service", single)
    yield _alternative(
        situation, f"{sleep}, one replica of each service", lambda part: awake(single(part)), share
    )
    logs = _alternative(situation, f"no logs ({', '.join(LOGGING)})", without_logs)
    yield replace(logs, saves=logs.saves + costs.volumes.get(LOGGING[0], 0) * costs.volume_gib)
    for name, gib in costs.volumes.items():
        if gib >= LARGE_GIB:
            yield Option(f"half the volume of {name}", now.nodes, gib / 2 * costs.volume_gib, "less history")
    yield Option("one node more", now.nodes, -situation.price, "whole releases roll at once")
    if not situation.settings.ha:
        note = "can be switched on, never off"
        yield Option("highly available control plane", now.nodes, -costs.ha_control_plane, note)


def _alternative(
    situation: Situation, name: str, keep: Callable[[Part], Part | None], share: float = 1
) -> Option:
    """Returns what an alternative saves: the nodes that it needs less than today, for a share of the time."""
    kept = [changed for part in situation.parts if (changed := keep(part)) is not None]
    needed, minimum = nodes_needed(situation.node, kept), situation.settings.pool.min_nodes
    fewer = max(0, minimum - needed) if needed else 0
    note = f"with digitalocean.pool.min_nodes: {needed}" if fewer else "frees room, but no node"
    return Option(name, needed, fewer * situation.price * share, note)


def _single(part: Part, environments: tuple[str, ...]) -> Part:
    """Returns an environment with one pod of each workload; other parts stay."""
    if part.name in environments:
        return replace(part, workloads=tuple(replace(item, replicas=1) for item in part.workloads))
    return part
