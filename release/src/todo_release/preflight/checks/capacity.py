"""The nodes and the quota have room for the release's peak, and where not: what would help, tried out.

The arithmetic is in `scheduling.simulator` and `scheduling.rolling_update`, what it is done with in `stage`;
this module asks it and words the outcome.
"""

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from todo_release.adapters.kubernetes.manifest import PodTemplate
from todo_release.adapters.kubernetes.quantities import parse
from todo_release.core.tables import Table
from todo_release.core.yaml_positions import Path
from todo_release.preflight.check import Check
from todo_release.preflight.finding import Finding, Findings, error, warning
from todo_release.preflight.scheduling import pod_requirements
from todo_release.preflight.scheduling.rolling_update import Change, Play, play
from todo_release.preflight.scheduling.scenario import Stage, scaler_of, stage
from todo_release.preflight.scheduling.simulator import Amount, Node, Quota, Room, Shape
from todo_release.preflight.snapshot import (
    DEPLOYMENTS,
    LIMIT_RANGES,
    NODES,
    PODS,
    PRIORITY_CLASSES,
    QUOTAS,
    PreflightSnapshot,
)

POOL = "doks.digitalocean.com/node-pool"  # on every node of a pool, and only pools grow by themselves
HOSTNAME = "kubernetes.io/hostname"
LEAST = Amount(10, 16 * 2**20)  # a request below this is no size, it is a way to say nothing
MORE_NODES = 3
NAMED = 3


def table(snapshot: PreflightSnapshot) -> Table:
    """What each node can give, what its pods ask for now, and what they ask for at the release's peak.

    Raises:
        UnreadError: as `stage`.
    """
    setting = stage(snapshot)
    peak = _played(setting.room, setting.changes).peak
    rows = []
    for name, node in setting.room.nodes.items():
        now, then, whole = setting.room.used(name), peak.used(name), node.allocatable
        rows.append(
            (
                name + (" (cordoned)" if node.is_cordoned else ""),
                _cpu(whole.cpu),
                _cpu(now.cpu),
                f"{_cpu(then.cpu)} {_share(then.cpu, whole.cpu)}",
                _memory(whole.memory),
                _memory(now.memory),
                f"{_memory(then.memory)} {_share(then.memory, whole.memory)}",
            )
        )
    columns = ("node", "cpu", "cpu used", "cpu at the peak", "memory", "memory used", "memory at the peak")
    return Table(
        f"Requests on the nodes, rolling {snapshot.version} in {snapshot.environment}", columns, tuple(rows)
    )


def _has_room(snapshot: PreflightSnapshot) -> Findings:
    setting = stage(snapshot)
    if not setting.room.nodes:
        yield error("Cluster", "The cluster has no nodes.", "Add a node pool.")
        return
    yield from _hooks(snapshot, setting)
    yield from _rollout(snapshot, setting)
    yield from _autoscalers(snapshot, setting)


def _rollout(snapshot: PreflightSnapshot, setting: Stage) -> Findings:
    """The rolling update comes to an end: at once, in turns, with an autoscaler's nodes, or not at all."""
    loose = play(setting.room, setting.changes, "spread")
    if loose.stuck and (tight := play(setting.room, setting.changes, "pack")).stuck:
        yield from _stuck(snapshot, setting, tight)
        return
    names = _short({change.name for change in (loose.stuck or loose.waiting)})
    if loose.stuck:
        yield warning(
            loose.stuck[0].name,
            f"There is room for {names} only if the scheduler packs the nodes tightly, which it does not.",
            "Add a node, or lower requests.",
        )
    elif loose.waiting:
        yield warning(
            loose.waiting[0].name,
            f"Not all workloads can roll at once: {names} must wait until others have let go of old pods.",
            "The rollout takes longer; add a node or lower requests if that is too long.",
        )
    victims = _short({f"{pod.namespace}/{pod.owner}" for pod in loose.victims})
    if victims:
        yield warning(
            f"Namespace/{snapshot.namespace}",
            f"The scheduler will push out pods of lower priority to make room: {victims}.",
            "Add a node if those must go on running.",
        )


def _played(room: Room, changes: Sequence[Change]) -> Play:
    """How it goes with the default scheduler, or with one that packs if only that one gets to the end."""
    loose = play(room, changes, "spread")
    return loose if not loose.stuck else play(room, changes, "pack")


def _stuck(snapshot: PreflightSnapshot, setting: Stage, played: Play) -> Iterator[Finding]:
    for more in range(1, _growth(snapshot, setting.room) + 1):
        if not _played(_grown(setting.room, more), setting.changes).stuck:
            yield warning(
                played.stuck[0].name,
                f"{_lack(played.end, played.stuck[0])}: the autoscaler must add {_nodes(more)}, which "
                "takes minutes.",
                "Add it beforehand if the rollout should not wait.",
            )
            return
    for change in played.stuck:
        yield error(
            change.name,
            f"{_lack(played.end, change)}.",
            _advice(setting, played, change),
            _field(snapshot, played.end, change),
        )


def _advice(setting: Stage, played: Play, change: Change) -> str:
    """What would help one of the workloads that are stuck, in a sentence."""
    own = [text.format(**_offer(played.end, change)) for text in _remedies(setting, played)]
    if not own:
        return "No single change helps: lower several requests, or take larger nodes."
    advice = ", or ".join([", ".join(own[:-1]), own[-1]] if len(own) > 1 else own)
    return f"{advice[:1].upper()}{advice[1:]}."


def _remedies(setting: Stage, played: Play) -> list[str]:
    """What would let the whole release come to its end, each tried out on all that are stuck."""
    stuck = {change.name for change in played.stuck}

    def ends(room: Room, change_of: Any) -> bool:
        tried = [change_of(one) if one.name in stuck else one for one in setting.changes]
        return not _played(room, tried).stuck

    def without_surge(change: Change) -> Change:
        return replace(change, surge=0, unavailable=max(change.unavailable, 1))

    def smaller(change: Change) -> Change:
        return replace(change, shape=replace(change.shape, request=_affordable(played.end, change)))

    found = []
    if any(change.surge for change in played.stuck) and ends(setting.room, without_surge):
        found.append("set maxSurge 0 and maxUnavailable 1")
    if all(_is_a_size(played.end, one) for one in played.stuck) and ends(setting.room, smaller):
        found.append("lower its request to {affordable}")
    for more in range(1, MORE_NODES + 1):
        if ends(_grown(setting.room, more), lambda change: change):
            found.append(f"add {_nodes(more)}")
            break
    if setting.room.quota and any(
        played.end.quota.lacks(one.shape) for one in played.stuck if played.end.quota
    ):
        unbounded = setting.room.copy()
        unbounded.quota = None
        if ends(unbounded, lambda change: change):
            found.append("raise the quota")
    return found


def _growth(snapshot: PreflightSnapshot, room: Room) -> int:
    """How many nodes the autoscaler may add to the pool."""
    in_pool = sum(POOL in node.labels for node in room.nodes.values())
    return max(0, (snapshot.config.preflight.max_nodes or 0) - in_pool) if in_pool else 0


def _grown(room: Room, more: int) -> Room:
    """The room with more nodes like its largest one that takes pods, each with the daemons that all nodes
    have.
    """
    usable = [node for node in room.nodes.values() if not node.is_cordoned] or list(room.nodes.values())
    model = max(usable, key=lambda node: (node.allocatable.cpu, node.allocatable.memory))
    daemons = [pod for pod in room.pods_on(model.name) if pod.owner.startswith("DaemonSet/")]
    extra = []
    for number in range(1, more + 1):
        name = f"new-{number}"
        extra.append((replace(model, name=name, labels={**model.labels, HOSTNAME: name}), daemons))
    return room.copy(extra)


def _affordable(room: Room, change: Change) -> Amount:
    """What the best node open to a workload, and the quota, could give one more of its pods."""
    best = _best(room, change.shape)
    free = room.free(best.name) if best else Amount()
    wanted = change.shape.request
    found = Amount(min(wanted.cpu, free.cpu // 10 * 10), min(wanted.memory, free.memory // 2**20 * 2**20))
    left = room.quota.left if room.quota else {}
    return Amount(
        min(found.cpu, left.get("requests.cpu", found.cpu)),
        min(found.memory, left.get("requests.memory", found.memory)),
    )


def _is_a_size(room: Room, change: Change) -> bool:
    """Whether what a workload could have is worth asking for."""
    wanted, could = change.shape.request, _affordable(room, change)
    return (could.cpu >= LEAST.cpu or could.cpu == wanted.cpu) and (
        could.memory >= LEAST.memory or could.memory == wanted.memory
    )


def _best(room: Room, shape: Shape) -> Node | None:
    def worst_share(node: Node) -> float:
        free, wanted = room.free(node.name), shape.request
        return min(free.cpu / max(wanted.cpu, 1), free.memory / max(wanted.memory, 1))

    return max(room.open_to(shape), key=worst_share, default=None)


def _offer(room: Room, change: Change) -> dict[str, str]:
    wanted, could = change.shape.request, _affordable(room, change)
    parts = [_cpu(could.cpu)] if could.cpu < wanted.cpu else []
    parts += [_memory(could.memory)] if could.memory < wanted.memory else []
    return {"affordable": " and ".join(parts)}


def _lack(room: Room, change: Change) -> str:
    """What one more pod of a workload needs and does not find."""
    shape, name = change.shape, change.name.partition("/")[2]
    lacking = room.quota.lacks(shape) if room.quota else None
    if lacking and room.quota:
        return f"{name} needs {_needs(shape)}, the quota has {_quota_left(room.quota, lacking)} left"
    best = _best(room, shape)
    if best is None:
        reasons = {one.name: room.refusal(shape, one) for one in room.nodes.values()}
        told = "; ".join(f"{node} {reason}" for node, reason in list(reasons.items())[:NAMED])
        return f"{name} finds no node that is open to it: {told}"
    free, wanted = room.free(best.name), shape.request
    short = []
    if wanted.cpu > free.cpu:
        short.append((_cpu(wanted.cpu), f"{_cpu(max(free.cpu, 0))}"))
    if wanted.memory > free.memory:
        short.append((_memory(wanted.memory), _memory(max(free.memory, 0))))
    if not short:
        return f"{name} finds no place: {best.name} runs all the {best.pods} pods that it may"
    needs, has = (" and ".join(pair) for pair in zip(*short, strict=True))
    return f"{name} needs {needs}, the best node ({best.name}) has {has}"


def _needs(shape: Shape) -> str:
    return f"{_cpu(shape.request.cpu)} and {_memory(shape.request.memory)}"


def _quota_left(quota: Quota, key: str) -> str:
    left = max(quota.left[key], 0)
    shown = f"{left}" if key == "pods" else _cpu(left) if key.endswith("cpu") else _memory(left)
    return f"{shown} of {key}"


def _hooks(snapshot: PreflightSnapshot, setting: Stage) -> Findings:
    """Helm runs its hooks one after the other, before it changes anything."""
    for hook in setting.hooks:
        played = _played(setting.room, [hook])
        if played.stuck:
            yield error(
                hook.name,
                f"{_lack(played.end, hook)}: the hook never starts and the release ends there.",
                _advice(Stage(setting.room, (hook,), ()), played, hook),
                _field(snapshot, played.end, hook),
            )


def _autoscalers(snapshot: PreflightSnapshot, setting: Stage) -> Findings:
    """Not at the release, but at the first busy hour after it."""
    played = _played(setting.room, setting.changes)
    if played.stuck:
        return
    room = _grown(played.end, _growth(snapshot, setting.room))
    homeless: dict[str, int] = {}
    wanted = 0
    for change in setting.changes:
        owner = snapshot.manifest.find(*change.name.split("/"))
        scaler = scaler_of(snapshot, owner) if owner else None
        for _ in range(int(scaler.spec["maxReplicas"]) - change.desired if scaler else 0):
            wanted += 1
            if room.place(change.shape) is None:
                homeless[change.name] = homeless.get(change.name, 0) + 1
    if homeless:
        which = ", ".join(f"{name.partition('/')[2]} {count}" for name, count in homeless.items())
        yield warning(
            f"Namespace/{snapshot.namespace}",
            f"At their most the autoscalers want {wanted} pods more, and {sum(homeless.values())} find no "
            f"place ({which}).",
            "Add nodes before a busy time, lower maxReplicas, or name preflight.max_nodes if the pool "
            "grows by itself.",
        )


def _limits_allow(snapshot: PreflightSnapshot) -> Findings:
    """What admission refuses whatever the room: limits out of a LimitRange, or missing where a quota counts
    them.
    """
    ranges = snapshot.own(LIMIT_RANGES)
    counted = {
        pod_requirements.ALIASES.get(key, key)
        for one in snapshot.own(QUOTAS)
        for key in one["spec"].get("hard", {})
    }
    for template in snapshot.manifest.pods():
        spec = pod_requirements.admitted(template, ranges)
        for container in (*spec["initContainers"], *spec["containers"]):
            field = (*template.field, "spec", "containers")
            name, resources = container["name"], container["resources"]
            for part in ("requests", "limits"):
                missing = [
                    one
                    for one in ("cpu", "memory")
                    if f"{part}.{one}" in counted and one not in resources[part]
                ]
                if missing:
                    yield error(
                        template.owner.subject,
                        f"Container {name} has no {part} of {' and '.join(missing)}, which the namespace's "
                        "quota counts:"
                        " its pods are refused.",
                        "Set it in the values, or give the namespace a LimitRange with defaults.",
                        field,
                    )
            for rule in (
                rule for one in ranges for rule in one["spec"]["limits"] if rule["type"] == "Container"
            ):
                yield from _out_of_range(template, name, resources, rule, field)


def _out_of_range(
    template: PodTemplate, name: str, resources: Mapping[str, Any], rule: Mapping[str, Any], field: Any
) -> Iterable[Finding]:
    for bound, part, is_beyond in (
        ("max", "limits", operator.gt),
        ("min", "requests", operator.lt),
    ):
        for key, limit in (rule.get(bound) or {}).items():
            value = resources[part].get(key)
            if value is not None and is_beyond(parse(value), parse(limit)):
                yield error(
                    template.owner.subject,
                    f"Container {name} has {part} of {value} {key}, the LimitRange's {bound} is {limit}:"
                    " its pods are refused.",
                    "Change it in the values, or the LimitRange.",
                    field,
                )


def _field(snapshot: PreflightSnapshot, room: Room, change: Change) -> Path:
    """The request that is too large, in the first container of the workload's pods."""
    best = _best(room, change.shape)
    lacks_cpu = best is None or change.shape.request.cpu > room.free(best.name).cpu
    for template in snapshot.manifest.pods():
        if template.owner.subject == change.name:
            requests = (*template.field, "spec", "containers", 0, "resources", "requests")
            return (*requests, "cpu" if lacks_cpu else "memory")
    return ()


def _short(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return ", ".join(listed[:NAMED]) + more


def _nodes(count: int) -> str:
    return "a node" if count == 1 else f"{count} nodes"


def _cpu(value: int) -> str:
    return f"{value}m"


def _memory(value: int) -> str:
    return f"{value // 2**20}Mi"


def _share(part: int, whole: int) -> str:
    return f"({part * 100 // whole} %)" if whole else ""


CHECK = Check(
    id="capacity",
    title="the nodes have room",
    needs=(NODES, PODS, PRIORITY_CLASSES, QUOTAS, LIMIT_RANGES, DEPLOYMENTS),
    rules=(_has_room, _limits_allow),
)
