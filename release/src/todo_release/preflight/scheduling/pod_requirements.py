"""From the API's JSON to what the scheduling arithmetic knows: pods, nodes, quotas, and the limits of a
namespace.

A pod of the chart is first made what the API server would make of it: Dapr's injector adds its sidecar,
limits stand in for missing requests, a LimitRange fills in what is still missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from todo_release.adapters.kubernetes.manifest import DAPR, PodTemplate
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.kubernetes.quantities import millicores, size
from todo_release.preflight.scheduling.simulator import QUOTA_KEYS, Amount, Node, Quota, Shape

ALIASES = {"cpu": "requests.cpu", "memory": "requests.memory"}
ENDED = ("Succeeded", "Failed")
SIDECAR = "daprd"
Ranges = Sequence[JsonObject]


def amount(resources: Mapping[str, Any] | None) -> Amount:
    """The `cpu` and `memory` of a map of quantities; none counts as nothing."""
    found = resources or {}
    return Amount(millicores(found.get("cpu", 0)), size(found.get("memory", 0)))


def node(raw: JsonObject) -> Node:
    """A node of the cluster."""
    given = raw["status"]["allocatable"]
    return Node(
        name=raw["metadata"]["name"],
        allocatable=amount(given),
        pods=int(given.get("pods", 110)),
        labels=raw["metadata"].get("labels") or {},
        taints=tuple(raw["spec"].get("taints") or ()),
        is_cordoned=bool(raw["spec"].get("unschedulable")),
    )


def runs(raw: JsonObject) -> bool:
    """Whether a live pod takes room: it has a node, has not ended and is not on its way out."""
    return bool(
        raw["spec"].get("nodeName")
        and raw.get("status", {}).get("phase") not in ENDED
        and "deletionTimestamp" not in raw["metadata"]
    )


def live(raw: JsonObject) -> Shape:
    """A pod of the cluster; its requests are filled in already."""
    meta = raw["metadata"]
    owner = next(iter(meta.get("ownerReferences") or ()), {"kind": "Pod", "name": meta["name"]})
    request, limit = _needs(raw["spec"])
    return Shape(
        owner=f"{owner['kind']}/{owner['name']}",
        namespace=meta.get("namespace", "default"),
        request=request,
        limit=limit,
        labels=meta.get("labels") or {},
        priority=raw["spec"].get("priority", 0),
    )


def planned(
    template: PodTemplate, namespace: str, ranges: Ranges, priorities: Mapping[str, JsonObject]
) -> Shape:
    """A pod that the chart will make; `priorities` are the cluster's PriorityClasses by name."""
    spec = admitted(template, ranges)
    request, limit = _needs(spec)
    name = spec.get("priorityClassName")
    priority = priorities.get(name or "") or (
        {} if name else next((one for one in priorities.values() if one.get("globalDefault")), {})
    )
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    return Shape(
        owner=template.owner.subject,
        namespace=namespace,
        request=request,
        limit=limit,
        labels={**template.labels, "pod-template-hash": "new"},
        node_selector=spec.get("nodeSelector") or {},
        node_terms=tuple(affinity.get("nodeSelectorTerms") or ()),
        tolerations=tuple(spec.get("tolerations") or ()),
        spread=tuple(
            one
            for one in spec.get("topologySpreadConstraints") or ()
            if one.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"
        ),
        priority=int(priority.get("value", 0)),
        may_preempt=priority.get("preemptionPolicy") != "Never",
    )


def admitted(template: PodTemplate, ranges: Ranges) -> dict[str, Any]:
    """A pod's `spec` with its sidecar and with every request and limit that it will have."""
    spec = dict(template.spec)
    for group in ("initContainers", "containers"):
        spec[group] = [_filled(one, ranges) for one in spec.get(group) or ()]
    if template.has_sidecar:
        spec["containers"].append(
            _filled({"name": SIDECAR, "resources": _of_sidecar(template.annotations)}, ranges)
        )
    return spec


def quota(items: Iterable[JsonObject], namespace: str) -> Quota | None:
    """What all ResourceQuotas of a namespace leave together; None when none bounds pods. Scoped ones are left
    out.
    """
    left: dict[str, int] = {}
    for item in items:
        if item["spec"].get("scopes") or item["spec"].get("scopeSelector"):
            continue
        used = item.get("status", {}).get("used") or {}
        for key, hard in item["spec"].get("hard", {}).items():
            name = ALIASES.get(key, key)
            if name in QUOTA_KEYS:
                parse = millicores if name.endswith("cpu") else size
                rest = parse(hard) - parse(used.get(key, 0))
                left[name] = min(rest, left.get(name, rest))
    return Quota(namespace, left) if left else None


def _needs(spec: JsonObject) -> tuple[Amount, Amount]:
    """Request and limit of a whole pod: its containers together, or its largest init container beside the
    sidecars that started before it (KEP-753), and the runtime's overhead.
    """
    totals = []
    for part in ("requests", "limits"):
        sidecars, peak = Amount(), Amount()
        for one in spec.get("initContainers") or ():
            own = amount((one.get("resources") or {}).get(part))
            if one.get("restartPolicy") == "Always":
                sidecars += own
                peak = _most(peak, sidecars)
            else:
                peak = _most(peak, sidecars + own)
        apps = [amount((one.get("resources") or {}).get(part)) for one in spec.get("containers") or ()]
        totals.append(_most(sum(apps, sidecars), peak) + amount(spec.get("overhead")))
    return totals[0], totals[1]


def _most(one: Amount, other: Amount) -> Amount:
    return Amount(max(one.cpu, other.cpu), max(one.memory, other.memory))


def _filled(container: JsonObject, ranges: Ranges) -> dict[str, Any]:
    resources = container.get("resources") or {}
    limits, requests = dict(resources.get("limits") or {}), dict(resources.get("requests") or {})
    requests = {**limits, **requests}
    for one in ranges:
        for rule in one["spec"]["limits"]:
            if rule["type"] == "Container":
                limits = {**(rule.get("default") or {}), **limits}
                requests = {**(rule.get("defaultRequest") or {}), **requests}
    return {**container, "resources": {"limits": limits, "requests": requests}}


def _of_sidecar(annotations: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What the injector sets: only what annotations ask for."""
    found: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
    for part, word in (("requests", "request"), ("limits", "limit")):
        for name in ("cpu", "memory"):
            if wanted := annotations.get(f"{DAPR}sidecar-{name}-{word}"):
                found[part][name] = wanted
    return found
