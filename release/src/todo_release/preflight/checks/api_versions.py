"""Checks that the cluster serves every API version of the chart, and that required webhooks are available."""

from collections.abc import Mapping
from typing import Any

from todo_release.adapters.helm.definitions import Definition
from todo_release.adapters.kubernetes.api_resources import (
    MUTATING_WEBHOOKS,
    PODS,
    SERVICES,
    VALIDATING_WEBHOOKS,
)
from todo_release.adapters.kubernetes.discovery import ServedResource
from todo_release.adapters.kubernetes.manifest import RenderedObject
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.kubernetes.selectors import selects
from todo_release.preflight.check import PreflightCheck
from todo_release.preflight.finding import Finding, Findings, error, note, warning
from todo_release.preflight.snapshot import PreflightSnapshot, UnreadError

INJECTOR = "dapr-sidecar-injector"
# apiVersion and kind, the first minor version of Kubernetes 1.x that does not serve it, and its replacement:
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


def _api_versions_are_served(snapshot: PreflightSnapshot) -> Findings:
    """Checks each combination of API version and kind once."""
    served = _served_resources(snapshot)
    known = {(resource.api_version, resource.kind) for resource in served}
    definitions = {kind: definition for definition in snapshot.definitions for kind in definition.kinds}
    in_templates = {
        kind
        for rendered in snapshot.manifest.of_kind("CustomResourceDefinition")
        for kind in Definition(rendered.body, rendered.source).kinds
    }
    checked = set()
    for rendered in snapshot.manifest.objects:
        wanted = (rendered.api_version, rendered.kind)
        if wanted in checked:
            continue
        checked.add(wanted)
        if wanted not in known:
            if definition := definitions.get(wanted):
                yield _defined_by_chart(rendered, definition, is_installed=snapshot.live.is_installed)
            elif wanted not in in_templates:
                yield _not_served(rendered, served)
            elif not rendered.hooks:
                yield _defined_too_late(rendered)
        elif wanted in REMOVED and snapshot.live.version:
            minor, replacement = REMOVED[wanted]
            yield warning(
                rendered.subject,
                f"Kubernetes 1.{minor} no longer serves {rendered.api_version} {rendered.kind}; this cluster "
                f"(1.{snapshot.live.version[1]}) still does.",
                f"Write {replacement} before the cluster is upgraded.",
                ("apiVersion",),
            )


def _served_resources(snapshot: PreflightSnapshot) -> list[ServedResource]:
    if not snapshot.live.served:
        raise UnreadError(
            snapshot.live.unread.get("api resources", "what the API server serves was not read")
        )
    return list(snapshot.live.served)


def _defined_by_chart(rendered: RenderedObject, definition: Definition, *, is_installed: bool) -> Finding:
    if is_installed:
        return error(
            rendered.subject,
            f"The cluster serves no {rendered.api_version} {rendered.kind}, which {definition.source} of the "
            "chart defines: Helm applies crds/ only when a release is first installed.",
            f"Apply it by hand: `kubectl apply --server-side -f` with the chart's {definition.source}.",
            ("apiVersion",),
        )
    return note(
        rendered.subject,
        f"The cluster gets {rendered.kind} from {definition.source} of the chart; objects of this kind "
        "cannot be checked before it is there.",
        "Apply the definition beforehand to have them checked.",
        ("apiVersion",),
    )


def _defined_too_late(rendered: RenderedObject) -> Finding:
    return error(
        rendered.subject,
        f"A template defines {rendered.api_version} {rendered.kind}, and Helm looks up every kind before it "
        "applies anything.",
        "Move the definition from templates/ to crds/ of the chart, or apply it beforehand.",
        ("apiVersion",),
    )


def _not_served(rendered: RenderedObject, served: list[ServedResource]) -> Finding:
    group = rendered.api_version.rpartition("/")[0]
    other_versions = sorted(
        {
            resource.api_version
            for resource in served
            if resource.kind == rendered.kind and resource.api_version.rpartition("/")[0] == group
        }
    )
    removed = REMOVED.get((rendered.api_version, rendered.kind))
    if other_versions:
        remedy = f"Write apiVersion {other_versions[-1]}."
    elif removed:
        remedy = f"Write apiVersion {removed[1]}."
    else:
        api = group or rendered.api_version
        remedy = f"Install the CustomResourceDefinitions of {api}, or switch the object off in the values."
    cause = f"The cluster serves no {rendered.api_version} {rendered.kind}."
    return error(rendered.subject, cause, remedy, ("apiVersion",))


def _injector_is_installed(snapshot: PreflightSnapshot) -> Findings:
    """Checks for the injector's webhook, because pods silently start without a sidecar if it is missing."""
    with_sidecar = [template for template in snapshot.manifest.pods() if template.has_sidecar]
    if not with_sidecar:
        return
    webhooks = [
        webhook
        for configuration in snapshot.in_cluster(MUTATING_WEBHOOKS)
        for webhook in configuration.get("webhooks") or ()
    ]
    if not any(_service_of(webhook).get("name") == INJECTOR for webhook in webhooks):
        yield error(
            with_sidecar[0].owner.subject,
            f"{len(with_sidecar)} workloads want a Dapr sidecar, and the cluster has no {INJECTOR} webhook: "
            "they would start without one.",
            "Install Dapr, or remove dapr.io/enabled.",
            (*with_sidecar[0].field, "metadata", "annotations", "dapr.io/enabled"),
        )


def _webhooks_are_available(snapshot: PreflightSnapshot) -> Findings:
    """Checks that each webhook that concerns the release has a ready pod."""
    wants_sidecars = any(template.has_sidecar for template in snapshot.manifest.pods())
    resources = {rendered.resource.plural for rendered in snapshot.manifest.objects} | {"pods"}
    for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS):
        for configuration in snapshot.in_cluster(resource):
            for webhook in configuration.get("webhooks") or ():
                service = _service_of(webhook)
                if not service or not _concerns_release(snapshot, webhook, resources):
                    continue
                if not _has_ready_pod(snapshot, service):
                    is_injector = service["name"] == INJECTOR and wants_sidecars
                    yield _unavailable(configuration["metadata"]["name"], webhook, is_injector=is_injector)


def _unavailable(configuration: str, webhook: JsonObject, *, is_injector: bool) -> Finding:
    service = _service_of(webhook)
    subject, where = f"Service/{service['name']}", f"{service['namespace']}/{service['name']}"
    cause = f"No pod is ready behind {where}, which the webhook {configuration} calls"
    remedy = f"See why the pods of {where} are not ready: `kubectl -n {service['namespace']} get pods`."
    if is_injector:
        return error(subject, f"{cause}: pods would start without their sidecar.", remedy)
    if webhook.get("failurePolicy", "Fail") == "Fail":
        return error(subject, f"{cause}: the API server refuses the objects that it must admit.", remedy)
    return note(subject, f"{cause}; its failurePolicy lets objects pass.", remedy)


def _service_of(webhook: JsonObject) -> Mapping[str, Any]:
    return (webhook.get("clientConfig") or {}).get("service") or {}


def _concerns_release(snapshot: PreflightSnapshot, webhook: JsonObject, resources: set[str]) -> bool:
    labels = ((snapshot.live.namespace or {}).get("metadata") or {}).get("labels") or {}
    if not selects(webhook.get("namespaceSelector") or {}, labels):
        return False
    matched = {
        name.partition("/")[0]
        for rule in webhook.get("rules") or ()
        for name in rule.get("resources") or ()
        if rule.get("scope") != "Cluster" and {"CREATE", "UPDATE", "*"} & set(rule.get("operations") or ())
    }
    return bool(matched & (resources | {"*"}))


def _has_ready_pod(snapshot: PreflightSnapshot, reference: Mapping[str, Any]) -> bool:
    """Returns whether a ready pod is behind a Service; one without a selector is assumed to work."""
    key = (reference["namespace"], reference["name"])
    service = next((item for item in snapshot.in_cluster(SERVICES) if _key(item) == key), None)
    if service is None:
        return False
    selector = (service.get("spec") or {}).get("selector")
    return not selector or any(
        _key(pod)[0] == key[0]
        and selects({"matchLabels": selector}, pod["metadata"].get("labels") or {})
        and _is_ready(pod)
        for pod in snapshot.in_cluster(PODS)
    )


def _key(live: JsonObject) -> tuple[str, str]:
    return live["metadata"].get("namespace", ""), live["metadata"]["name"]


def _is_ready(pod: JsonObject) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


CHECK = PreflightCheck(
    id="api-versions",
    title="the cluster accepts every object",
    needs=(MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, SERVICES, PODS),
    rules=(_api_versions_are_served, _injector_is_installed, _webhooks_are_available),
)
