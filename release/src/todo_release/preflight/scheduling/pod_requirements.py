"""Converts API objects to the simulation's types: pods, nodes and quotas.

A pod template of the chart is completed first as the API server would: the Dapr injector adds its sidecar,
limits become missing requests, and a LimitRange fills in what is still missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from todo_release.adapters.kubernetes.manifest import DAPR_PREFIX, PodTemplate
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.kubernetes.quantities import millicores, size_bytes
from todo_release.preflight.scheduling.resources import (
    QUOTA_KEYS,
    NodeCapacity,
    PodRequirements,
    RemainingQuota,
    ResourceAmount,
)

QUOTA_ALIASES = {"cpu": "requests.cpu", "memory": "requests.memory"}
ENDED_PHASES = ("Succeeded", "Failed")
SIDECAR = "daprd"
DEFAULT_MAX_PODS = 110  # the kubelet's own default
LimitRanges = Sequence[JsonObject]


def resource_amount(resources: Mapping[str, Any] | None) -> ResourceAmount:
    """Returns the `cpu` and `memory` of a map of quantities; a missing one counts as zero."""
    quantities = resources or {}
    return ResourceAmount(millicores(quantities.get("cpu", 0)), size_bytes(quantities.get("memory", 0)))


def node_capacity(node: JsonObject) -> NodeCapacity:
    """Returns the capacity of a node of the cluster."""
    allocatable = node["status"]["allocatable"]
    return NodeCapacity(
        name=node["metadata"]["name"],
        allocatable=resource_amount(allocatable),
        max_pods=int(allocatable.get("pods", DEFAULT_MAX_PODS)),
        labels=node["metadata"].get("labels") or {},
        taints=tuple(node["spec"].get("taints") or ()),
        is_cordoned=bool(node["spec"].get("unschedulable")),
    )


def occupies_node(pod: JsonObject) -> bool:
    """Returns whether a live pod uses resources: it has a node, has not ended and is not being deleted."""
    return bool(
        pod["spec"].get("nodeName")
        and pod.get("status", {}).get("phase") not in ENDED_PHASES
        and "deletionTimestamp" not in pod["metadata"]
    )


def of_live_pod(pod: JsonObject) -> PodRequirements:
    """Returns the requirements of a pod of the cluster; admission has completed its requests already."""
    meta = pod["metadata"]
    owner = next(iter(meta.get("ownerReferences") or ()), {"kind": "Pod", "name": meta["name"]})
    request, limit = _request_and_limit(pod["spec"])
    return PodRequirements(
        owner=f"{owner['kind']}/{owner['name']}",
        namespace=meta.get("namespace", "default"),
        request=request,
        limit=limit,
        labels=meta.get("labels") or {},
        priority=pod["spec"].get("priority", 0),
    )


def of_template(
    template: PodTemplate, namespace: str, limit_ranges: LimitRanges, priorities: Mapping[str, JsonObject]
) -> PodRequirements:
    """Returns the requirements of a pod of the chart; `priorities` are the PriorityClasses by name."""
    spec = admitted_spec(template, limit_ranges)
    request, limit = _request_and_limit(spec)
    priority = _priority_class(spec.get("priorityClassName"), priorities)
    node_affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    return PodRequirements(
        owner=template.owner.subject,
        namespace=namespace,
        request=request,
        limit=limit,
        labels={**template.labels, "pod-template-hash": "new"},
        node_selector=spec.get("nodeSelector") or {},
        node_affinity_terms=tuple(node_affinity.get("nodeSelectorTerms") or ()),
        tolerations=tuple(spec.get("tolerations") or ()),
        topology_spread=tuple(
            constraint
            for constraint in spec.get("topologySpreadConstraints") or ()
            if constraint.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"
        ),
        priority=int(priority.get("value", 0)),
        may_preempt=priority.get("preemptionPolicy") != "Never",
    )


def admitted_spec(template: PodTemplate, limit_ranges: LimitRanges) -> dict[str, Any]:
    """Returns a pod's `spec` after admission: with its sidecar, and all requests and limits filled in."""
    spec = dict(template.spec)
    for group in ("initContainers", "containers"):
        spec[group] = [_with_defaults(container, limit_ranges) for container in spec.get(group) or ()]
    if template.has_sidecar:
        sidecar = {"name": SIDECAR, "resources": _sidecar_resources(template.annotations)}
        spec["containers"].append(_with_defaults(sidecar, limit_ranges))
    return spec


def remaining_quota(quotas: Iterable[JsonObject], namespace: str) -> RemainingQuota | None:
    """Returns what all ResourceQuotas of a namespace leave together; None when none of them limits pods.

    Quotas with scopes are ignored.
    """
    remaining: dict[str, int] = {}
    for quota in quotas:
        if quota["spec"].get("scopes") or quota["spec"].get("scopeSelector"):
            continue
        used = quota.get("status", {}).get("used") or {}
        for key, hard in quota["spec"].get("hard", {}).items():
            name = QUOTA_ALIASES.get(key, key)
            if name in QUOTA_KEYS:
                parse = millicores if name.endswith("cpu") else size_bytes
                rest = parse(hard) - parse(used.get(key, 0))
                remaining[name] = min(rest, remaining.get(name, rest))
    return RemainingQuota(namespace, remaining) if remaining else None


def _priority_class(name: str | None, priorities: Mapping[str, JsonObject]) -> JsonObject:
    """Returns the PriorityClass of a pod: the named one, else the global default, else an empty one."""
    if name:
        return priorities.get(name) or {}
    return next((priority for priority in priorities.values() if priority.get("globalDefault")), {})


def _request_and_limit(spec: JsonObject) -> tuple[ResourceAmount, ResourceAmount]:
    """Returns request and limit of a whole pod.

    Each is the sum of the containers, or the largest init container together with the sidecars that started
    before it (KEP-753) if that is more, plus the overhead of the runtime class.
    """
    totals = []
    for part in ("requests", "limits"):
        sidecars, peak = ResourceAmount(), ResourceAmount()
        for container in spec.get("initContainers") or ():
            own = resource_amount((container.get("resources") or {}).get(part))
            if container.get("restartPolicy") == "Always":
                sidecars += own
                peak = _larger(peak, sidecars)
            else:
                peak = _larger(peak, sidecars + own)
        apps = [
            resource_amount((container.get("resources") or {}).get(part))
            for container in spec.get("containers") or ()
        ]
        totals.append(_larger(sum(apps, sidecars), peak) + resource_amount(spec.get("overhead")))
    return totals[0], totals[1]


def _larger(first: ResourceAmount, second: ResourceAmount) -> ResourceAmount:
    return ResourceAmount(max(first.cpu, second.cpu), max(first.memory, second.memory))


def _with_defaults(container: JsonObject, limit_ranges: LimitRanges) -> dict[str, Any]:
    resources = container.get("resources") or {}
    limits, requests = dict(resources.get("limits") or {}), dict(resources.get("requests") or {})
    requests = {**limits, **requests}
    for limit_range in limit_ranges:
        for rule in limit_range["spec"]["limits"]:
            if rule["type"] == "Container":
                limits = {**(rule.get("default") or {}), **limits}
                requests = {**(rule.get("defaultRequest") or {}), **requests}
    return {**container, "resources": {"limits": limits, "requests": requests}}


def _sidecar_resources(annotations: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Returns what the Dapr injector sets: only what annotations ask for."""
    resources: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
    for part, word in (("requests", "request"), ("limits", "limit")):
        for name in ("cpu", "memory"):
            if quantity := annotations.get(f"{DAPR_PREFIX}sidecar-{name}-{word}"):
                resources[part][name] = quantity
    return resources
