"""Autoscalers can work: the metrics API answers, their targets exist and say what a percentage is a share
of.
"""

from collections.abc import Iterator
from typing import Any

from todo_release.adapters.kubernetes.manifest import PodTemplate, Rendered
from todo_release.preflight.check import Check
from todo_release.preflight.finding import Finding, Findings, error, warning
from todo_release.preflight.scheduling.pod_requirements import admitted
from todo_release.preflight.snapshot import (
    AUTOSCALERS,
    DEPLOYMENTS,
    LIMIT_RANGES,
    PreflightSnapshot,
    UnreadError,
)

KIND = "HorizontalPodAutoscaler"
MEASURED = ("Resource", "ContainerResource")


def _metrics_are_served(snapshot: PreflightSnapshot) -> Findings:
    scalers = snapshot.manifest.of_kind(KIND)
    wanting = [one for one in scalers if any(metric["type"] in MEASURED for metric in _metrics(one))]
    if wanting and "metrics" in snapshot.live.unread:
        raise UnreadError(snapshot.live.unread["metrics"])
    if wanting and snapshot.live.metrics:
        yield warning(
            wanting[0].subject,
            f"The metrics API {snapshot.live.metrics}, so {len(wanting)} autoscalers cannot act.",
            "Install metrics-server, or look at it: `kubectl -n kube-system get pods`.",
        )


def _targets_are_sound(snapshot: PreflightSnapshot) -> Findings:
    for scaler in snapshot.manifest.of_kind(KIND):
        least, most = int(scaler.spec.get("minReplicas", 1)), int(scaler.spec["maxReplicas"])
        if least > most:
            yield error(
                scaler.subject,
                f"minReplicas {least} is more than maxReplicas {most}: the API server refuses it.",
                "Correct one of the two in the values.",
                ("spec", "minReplicas"),
            )
        target = scaler.spec["scaleTargetRef"]
        template = next(
            (
                one
                for one in snapshot.manifest.pods()
                if (one.owner.kind, one.owner.name) == (target["kind"], target["name"])
            ),
            None,
        )
        if template is None:
            if not _is_live(snapshot, target["kind"], target["name"]):
                yield error(
                    scaler.subject,
                    f"It scales {target['kind']}/{target['name']}, which does not exist.",
                    "Correct scaleTargetRef.",
                    ("spec", "scaleTargetRef", "name"),
                )
            continue
        yield from _requests(snapshot, scaler, template)
        if "replicas" in template.owner.spec:
            yield error(
                template.owner.subject,
                f"The chart sets replicas to {template.owner.spec['replicas']} although {scaler.subject}"
                " scales it: "
                "every release takes back what the load asked for.",
                "Render no replicas where there is an autoscaler.",
                ("spec", "replicas"),
            )


def _is_live(snapshot: PreflightSnapshot, kind: str, name: str) -> bool:
    return kind != "Deployment" or snapshot.find(DEPLOYMENTS, name) is not None


def _requests(snapshot: PreflightSnapshot, scaler: Rendered, template: PodTemplate) -> Iterator[Finding]:
    """A utilization is a share of a request, so every container it looks at needs one."""
    spec = admitted(template, snapshot.own(LIMIT_RANGES))
    containers = {one["name"]: one["resources"]["requests"] for one in spec["containers"]}
    for index, metric in enumerate(_metrics(scaler)):
        source = metric.get("containerResource") or metric.get("resource") or {}
        if (source.get("target") or {}).get("type") != "Utilization":
            continue
        field = ("spec", "metrics", index)
        looked_at = [source["container"]] if "container" in source else list(containers)
        for name in looked_at:
            if name not in containers:
                yield error(
                    scaler.subject,
                    f"It looks at container {name}, which {template.owner.subject} does not have.",
                    f"Use one of: {', '.join(containers)}.",
                    field,
                )
            elif source["name"] not in containers[name]:
                yield error(
                    scaler.subject,
                    f"Container {name} of {template.owner.subject} has no request of {source['name']} to"
                    " be a share of.",
                    "Set the request in the values.",
                    field,
                )


def _metrics(scaler: Rendered) -> list[dict[str, Any]]:
    return list(scaler.spec.get("metrics") or ())


def _nobody_else_scales(snapshot: PreflightSnapshot) -> Findings:
    """Two autoscalers on one target pull in two directions."""
    own = {one.name for one in snapshot.manifest.of_kind(KIND)}
    before = snapshot.live.last_manifest
    for scaler in snapshot.manifest.of_kind(KIND):
        target = scaler.spec["scaleTargetRef"]["name"]
        for live in snapshot.own(AUTOSCALERS):
            name = live["metadata"]["name"]
            goes = before is not None and before.find(KIND, name) is not None
            if name not in own and not goes and live["spec"]["scaleTargetRef"]["name"] == target:
                yield warning(
                    scaler.subject,
                    f"{KIND}/{name} in the namespace scales {target} too.",
                    f"Delete {KIND}/{name}.",
                    ("spec", "scaleTargetRef", "name"),
                )


CHECK = Check(
    id="hpa",
    title="autoscalers can work",
    needs=(AUTOSCALERS, DEPLOYMENTS, LIMIT_RANGES),
    rules=(_metrics_are_served, _targets_are_sound, _nobody_else_scales),
)
