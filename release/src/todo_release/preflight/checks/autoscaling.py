"""Checks that autoscalers can work: metrics are served, targets exist, and utilization has a request."""

from collections.abc import Iterator
from typing import Any

from todo_release.adapters.kubernetes.api_resources import (
    AUTOSCALERS,
    DEPLOYMENTS,
    LIMIT_RANGES,
)
from todo_release.adapters.kubernetes.manifest import PodTemplate, RenderedObject
from todo_release.preflight.check import PreflightCheck
from todo_release.preflight.finding import Finding, Findings, error, warning
from todo_release.preflight.scheduling.pod_requirements import admitted_spec
from todo_release.preflight.snapshot import PreflightSnapshot, UnreadError

KIND = "HorizontalPodAutoscaler"
RESOURCE_METRICS = ("Resource", "ContainerResource")  # both are served by metrics.k8s.io


def _metrics_are_served(snapshot: PreflightSnapshot) -> Findings:
    affected = [
        autoscaler
        for autoscaler in snapshot.manifest.of_kind(KIND)
        if any(metric["type"] in RESOURCE_METRICS for metric in _metrics(autoscaler))
    ]
    if affected and "metrics" in snapshot.live.unread:
        raise UnreadError(snapshot.live.unread["metrics"])
    if affected and snapshot.live.metrics_problem:
        yield warning(
            affected[0].subject,
            f"The metrics API {snapshot.live.metrics_problem}, so {len(affected)} autoscalers cannot act.",
            "Install metrics-server, or see why it fails: `kubectl -n kube-system get pods`.",
        )


def _targets_are_valid(snapshot: PreflightSnapshot) -> Findings:
    for autoscaler in snapshot.manifest.of_kind(KIND):
        least, most = int(autoscaler.spec.get("minReplicas", 1)), int(autoscaler.spec["maxReplicas"])
        if least > most:
            yield error(
                autoscaler.subject,
                f"minReplicas {least} is more than maxReplicas {most}: the API server refuses it.",
                "Correct one of the two in the values.",
                ("spec", "minReplicas"),
            )
        target = autoscaler.spec["scaleTargetRef"]
        template = _template_of(snapshot, target["kind"], target["name"])
        if template is None:
            if not _is_live(snapshot, target["kind"], target["name"]):
                yield error(
                    autoscaler.subject,
                    f"It scales {target['kind']}/{target['name']}, which does not exist.",
                    "Correct scaleTargetRef.",
                    ("spec", "scaleTargetRef", "name"),
                )
            continue
        yield from _missing_requests(snapshot, autoscaler, template)
        if "replicas" in template.owner.spec:
            yield warning(
                template.owner.subject,
                f"The chart sets replicas to {template.owner.spec['replicas']} although {autoscaler.subject} "
                "scales it: every release undoes what the autoscaler did.",
                "Render no replicas where there is an autoscaler.",
                ("spec", "replicas"),
            )


def _template_of(snapshot: PreflightSnapshot, kind: str, name: str) -> PodTemplate | None:
    for template in snapshot.manifest.pods():
        if (template.owner.kind, template.owner.name) == (kind, name):
            return template
    return None


def _is_live(snapshot: PreflightSnapshot, kind: str, name: str) -> bool:
    return kind != "Deployment" or snapshot.find(DEPLOYMENTS, name) is not None


def _missing_requests(
    snapshot: PreflightSnapshot, autoscaler: RenderedObject, template: PodTemplate
) -> Iterator[Finding]:
    """Yields the containers without a request, of which a target utilization is a percentage."""
    spec = admitted_spec(template, snapshot.in_namespace(LIMIT_RANGES))
    requests = {container["name"]: container["resources"]["requests"] for container in spec["containers"]}
    for index, metric in enumerate(_metrics(autoscaler)):
        source = metric.get("containerResource") or metric.get("resource") or {}
        if (source.get("target") or {}).get("type") != "Utilization":
            continue
        field = ("spec", "metrics", index)
        measured = [source["container"]] if "container" in source else list(requests)
        for name in measured:
            if name not in requests:
                yield error(
                    autoscaler.subject,
                    f"It measures container {name}, which {template.owner.subject} does not have.",
                    f"Use one of: {', '.join(requests)}.",
                    field,
                )
            elif source["name"] not in requests[name]:
                yield error(
                    autoscaler.subject,
                    f"Container {name} of {template.owner.subject} has no {source['name']} request, of which "
                    "the target utilization is a percentage.",
                    "Set the request in the values.",
                    field,
                )


def _metrics(autoscaler: RenderedObject) -> list[dict[str, Any]]:
    return list(autoscaler.spec.get("metrics") or ())


def _targets_have_one_autoscaler(snapshot: PreflightSnapshot) -> Findings:
    """Checks that no other autoscaler in the namespace scales the same target."""
    rendered_names = {autoscaler.name for autoscaler in snapshot.manifest.of_kind(KIND)}
    before = snapshot.live.last_manifest
    for autoscaler in snapshot.manifest.of_kind(KIND):
        target = autoscaler.spec["scaleTargetRef"]["name"]
        for live in snapshot.in_namespace(AUTOSCALERS):
            name = live["metadata"]["name"]
            is_removed = before is not None and before.find(KIND, name) is not None
            is_other = name not in rendered_names and not is_removed
            if is_other and live["spec"]["scaleTargetRef"]["name"] == target:
                yield warning(
                    autoscaler.subject,
                    f"{KIND}/{name} in the namespace scales {target} too.",
                    f"Delete it: `kubectl -n {snapshot.namespace} delete hpa {name}`.",
                    ("spec", "scaleTargetRef", "name"),
                )


CHECK = PreflightCheck(
    id="autoscaling",
    title="autoscalers can work",
    needs=(AUTOSCALERS, DEPLOYMENTS, LIMIT_RANGES),
    rules=(_metrics_are_served, _targets_are_valid, _targets_have_one_autoscaler),
)
