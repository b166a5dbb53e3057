"""The cluster serves every kind of the chart in the version asked for, and who must admit it is there to do
so.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from todo_release.adapters.kubernetes.manifest import Rendered
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.kubernetes.selectors import selects
from todo_release.preflight.check import Check
from todo_release.preflight.finding import Finding, Findings, error, note, warning
from todo_release.preflight.snapshot import (
    MUTATING_WEBHOOKS,
    PODS,
    SERVICES,
    VALIDATING_WEBHOOKS,
    PreflightSnapshot,
    Served,
    UnreadError,
    resource_of,
)

INJECTOR = "dapr-sidecar-injector"
# apiVersion and kind, the minor version of Kubernetes 1.x that serves it no more, and what to write instead:
# https://kubernetes.io/docs/reference/using-api/deprecation-guide/
REMOVED: Mapping[tuple[str, str], tuple[int, str]] = {
    ("extensions/v1beta1", "Ingress"): (22, "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "Ingress"): (22, "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "IngressClass"): (22, "networking.k8s.io/v1"),
    ("batch/v1beta1", "CronJob"): (25, "batch/v1"),
    ("policy/v1beta1", "PodDisruptionBudget"): (25, "policy/v1"),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): (25, "discovery.k8s.io/v1"),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): (25, "autoscaling/v2"),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): (26, "autoscaling/v2"),
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity"): (27, "storage.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta2", "FlowSchema"): (29, "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema"): (32, "flowcontrol.apiserver.k8s.io/v1"),
}


def _kinds_are_served(snapshot: PreflightSnapshot) -> Findings:
    """One finding a kind and version."""
    served = _served(snapshot)
    known = {(one.api_version, one.kind) for one in served}
    own = {
        str(one.spec.get("names", {}).get("kind"))
        for one in snapshot.manifest.of_kind("CustomResourceDefinition")
    }
    told = set()
    for one in snapshot.manifest.objects:
        wanted = (one.api_version, one.kind)
        if wanted in told:
            continue
        told.add(wanted)
        if wanted not in known:
            if one.kind not in own:
                yield _unserved(one, served)
        elif wanted in REMOVED and snapshot.live.version:
            minor, instead = REMOVED[wanted]
            yield warning(
                one.subject,
                f"{one.api_version} {one.kind} is gone from Kubernetes 1.{minor} on; this cluster"
                f" (1.{snapshot.live.version[1]}) still"
                " serves it.",
                f"Write {instead} before the cluster is upgraded.",
                ("apiVersion",),
            )


def _served(snapshot: PreflightSnapshot) -> list[Served]:
    if not snapshot.live.served:
        raise UnreadError(
            snapshot.live.unread.get("api resources", "what the API server serves was not read")
        )
    return list(snapshot.live.served)


def _unserved(one: Rendered, served: list[Served]) -> Finding:
    group = one.api_version.rpartition("/")[0]
    others = sorted(
        {
            each.api_version
            for each in served
            if each.kind == one.kind and each.api_version.rpartition("/")[0] == group
        }
    )
    instead = REMOVED.get((one.api_version, one.kind))
    if others or instead:
        remedy = f"Write apiVersion {others[-1] if others else instead and instead[1]}."
    else:
        brings = group or one.api_version
        remedy = f"Install what brings {brings} (its CustomResourceDefinitions), or switch it off."
    return error(one.subject, f"The cluster serves no {one.api_version} {one.kind}.", remedy, ("apiVersion",))


def _sidecars_are_injected(snapshot: PreflightSnapshot) -> Findings:
    """Without the injector's webhook pods start bare, and nothing says so."""
    wanting = [template for template in snapshot.manifest.pods() if template.has_sidecar]
    if not wanting:
        return
    hooks = [hook for one in snapshot.all(MUTATING_WEBHOOKS) for hook in one.get("webhooks") or ()]
    if not any(_service(hook).get("name") == INJECTOR for hook in hooks):
        yield error(
            wanting[0].owner.subject,
            f"{len(wanting)} workloads want a Dapr sidecar, and the cluster has no {INJECTOR} webhook: "
            "they would start without one.",
            "Install Dapr, or take dapr.io/enabled away.",
            (*wanting[0].field, "metadata", "annotations", "dapr.io/enabled"),
        )


def _webhooks_answer(snapshot: PreflightSnapshot) -> Findings:
    """A webhook that must agree, or Dapr's which changes pods, needs at least one ready pod behind it."""
    wants_sidecars = any(template.has_sidecar for template in snapshot.manifest.pods())
    resources = {resource_of(one).plural for one in snapshot.manifest.objects} | {"pods"}
    for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS):
        for one in snapshot.all(resource):
            for hook in one.get("webhooks") or ():
                service = _service(hook)
                if not service or not _concerns(snapshot, hook, resources) or _has_pods(snapshot, service):
                    continue
                is_injector = service["name"] == INJECTOR
                yield from _silent(
                    one,
                    hook,
                    is_required=hook.get("failurePolicy", "Fail") == "Fail",
                    is_injector=is_injector and wants_sidecars,
                )


def _silent(one: JsonObject, hook: JsonObject, *, is_required: bool, is_injector: bool) -> Iterator[Finding]:
    service = _service(hook)
    subject, where = f"Service/{service['name']}", f"{service['namespace']}/{service['name']}"
    said = f"No pod is ready behind {where}, which the webhook {one['metadata']['name']} asks"
    remedy = f"Look at the pods of {where}: `kubectl -n {service['namespace']} get pods`."
    if is_injector:
        yield error(subject, f"{said}: pods would start without their sidecar.", remedy)
    elif is_required:
        yield error(subject, f"{said}: what it must admit is refused.", remedy)
    else:
        yield note(subject, f"{said}; it is passed over.", remedy)


def _service(hook: JsonObject) -> Mapping[str, Any]:
    return (hook.get("clientConfig") or {}).get("service") or {}


def _concerns(snapshot: PreflightSnapshot, hook: JsonObject, resources: set[str]) -> bool:
    labels = ((snapshot.live.namespace or {}).get("metadata") or {}).get("labels") or {}
    if not selects(hook.get("namespaceSelector") or {}, labels):
        return False
    named = {
        name.partition("/")[0]
        for rule in hook.get("rules") or ()
        for name in rule.get("resources") or ()
        if rule.get("scope") != "Cluster" and {"CREATE", "UPDATE", "*"} & set(rule.get("operations") or ())
    }
    return bool(named & (resources | {"*"}))


def _has_pods(snapshot: PreflightSnapshot, service: Mapping[str, Any]) -> bool:
    """True when a ready pod stands behind a Service; one without a selector is taken on trust."""
    place = (service["namespace"], service["name"])
    found = next((one for one in snapshot.all(SERVICES) if _place(one) == place), None)
    selector = ((found or {}).get("spec") or {}).get("selector")
    if found is not None and not selector:
        return True
    return found is not None and any(
        _place(pod)[0] == place[0]
        and selects({"matchLabels": selector}, pod["metadata"].get("labels") or {})
        and _is_ready(pod)
        for pod in snapshot.all(PODS)
    )


def _place(one: JsonObject) -> tuple[str, str]:
    return one["metadata"].get("namespace", ""), one["metadata"]["name"]


def _is_ready(pod: JsonObject) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


CHECK = Check(
    id="api",
    title="the cluster takes every kind",
    needs=(MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, SERVICES, PODS),
    rules=(_kinds_are_served, _sidecars_are_injected, _webhooks_answer),
)
