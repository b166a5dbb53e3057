"""Checks that rollouts can end: paths of probes exist and need no login, and deadlines are consistent."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from todo_release.adapters.kubernetes.manifest import RenderedObject
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.core.yaml_positions import YamlPath
from todo_release.environments.rollout.patience import annotation_problems
from todo_release.preflight.check import PreflightCheck
from todo_release.preflight.finding import Finding, Findings, Severity, error, note, warning
from todo_release.preflight.snapshot import PreflightSnapshot

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
RECENT_ROLLOUTS = 5
SLOW_SHARE = 0.75  # of the timeout


def _probes_can_succeed(snapshot: PreflightSnapshot) -> Findings:
    noted = set()
    for template in snapshot.manifest.pods():
        for field, container in template.containers():
            image = _image_of(snapshot, container)
            for finding in _probe_findings(snapshot, template.owner, field, container, image):
                if finding.severity is Severity.NOTE:  # one for each image is enough
                    if image in noted:
                        continue
                    noted.add(image)
                yield finding


def _probe_findings(
    snapshot: PreflightSnapshot,
    owner: RenderedObject,
    field: YamlPath,
    container: JsonObject,
    image: str | None,
) -> Iterator[Finding]:
    port_names = {port.get("name") for port in container.get("ports") or ()}
    for probe in PROBES:
        handler = _handler(container, probe)
        port = handler.get("port")
        if isinstance(port, str) and port not in port_names:
            known = ", ".join(sorted(name for name in port_names if name))
            yield error(
                owner.subject,
                f"The {probe} of {container['name']} uses port {port!r}, which the container does not have.",
                f"Use one of: {known or 'no port has a name'}.",
                (*field, probe),
            )
        if "path" in handler:
            for finding in _path_findings(snapshot, image, probe, str(handler["path"])):
                yield replace(finding, subject=owner.subject, field=(*field, probe))


def _handler(container: JsonObject, kind: str) -> Mapping[str, Any]:
    probe = container.get(kind) or {}
    return probe.get("httpGet") or probe.get("tcpSocket") or {}


def _path_findings(
    snapshot: PreflightSnapshot, image: str | None, probe: str, path: str
) -> Iterator[Finding]:
    """Checks a path against the health paths in release.yaml, and against the contract for other paths."""
    if image is None or path in snapshot.config.images[image].health:
        return
    health = snapshot.config.images[image].health
    contract = snapshot.contracts.get(image) or {}
    operation = (contract.get("paths") or {}).get(path, {}).get("get")
    if operation is not None:
        if operation.get("security", contract.get("security")):
            yield error(
                "",
                f"The {probe} requests {path}, which needs a login: the pod never becomes ready.",
                "Request a path that needs no login, such as /healthz.",
            )
    elif health:
        yield warning(
            "",
            f"The {probe} requests {path}, which is no health path of {image} ({', '.join(health)}).",
            "Correct the probe, or declare the path under images in release.yaml.",
        )
    else:
        yield note(
            "",
            f"Probes request paths such as {path}; which paths of {image} need no login is not declared.",
            f"Declare images.{image}.health in release.yaml.",
        )


def _image_of(snapshot: PreflightSnapshot, container: JsonObject) -> str | None:
    """Returns the name in release.yaml of the image that a container runs."""
    reference = str(container.get("image", ""))
    for name in snapshot.config.images:
        repository = snapshot.config.registry.reference(name)
        if reference.startswith((f"{repository}@", f"{repository}:")):
            return name
    return None


def _times_are_consistent(snapshot: PreflightSnapshot) -> Findings:
    """Checks deadlines: a rollout that stalls while its probes still wait fails although nothing is wrong."""
    for template in snapshot.manifest.pods():
        if template.owner.kind == "Job" and template.owner.hooks:
            yield from _hook_deadline(snapshot, template.owner)
        elif template.owner.kind == "Deployment":
            start_seconds = max(
                (_start_seconds(container) for _, container in template.containers()), default=0
            )
            yield from _rollout_deadline(snapshot, template.owner, start_seconds)


def _hook_deadline(snapshot: PreflightSnapshot, owner: RenderedObject) -> Iterator[Finding]:
    timeout = snapshot.config.hook_timeout_of(snapshot.environment)
    deadline = owner.spec.get("activeDeadlineSeconds")
    if deadline and deadline >= timeout:
        yield warning(
            owner.subject,
            f"The hook may take {deadline} s and all hooks together only {timeout:.0f} s: the release gives "
            "up before the hook fails.",
            "Make activeDeadlineSeconds shorter than rollout.hook_timeout_seconds (timeout_seconds).",
            ("spec", "activeDeadlineSeconds"),
        )


def _rollout_deadline(
    snapshot: PreflightSnapshot, owner: RenderedObject, start_seconds: int
) -> Iterator[Finding]:
    timeout = snapshot.settings.timeout_seconds
    deadline = owner.spec.get("progressDeadlineSeconds", 600)
    allowed = start_seconds + owner.spec.get("minReadySeconds", 0)
    field = ("spec", "progressDeadlineSeconds")
    if allowed >= deadline:
        yield warning(
            owner.subject,
            f"Its probes allow a start of {allowed} s, but the rollout counts as stalled after {deadline} s.",
            "Raise progressDeadlineSeconds above it, or let the probes fail sooner.",
            field,
        )
    if deadline > timeout:
        yield note(
            owner.subject,
            f"The rollout counts as stalled after {deadline} s, the release waits only {timeout:.0f} s.",
            f"Raise timeout_seconds of {snapshot.environment} in release.yaml, or lower "
            "progressDeadlineSeconds.",
            field,
        )


def _start_seconds(container: JsonObject) -> int:
    """Returns how long a container may take to become ready: its startup probe, then one readiness probe."""
    startup, readiness = container.get("startupProbe") or {}, container.get("readinessProbe") or {}
    seconds = startup.get("initialDelaySeconds", 0)
    seconds += startup.get("periodSeconds", 10) * startup.get("failureThreshold", 3) if startup else 0
    seconds += readiness.get("initialDelaySeconds", 0)
    return int(seconds + (readiness.get("periodSeconds", 10) if readiness else 0))


def _is_not_paused(snapshot: PreflightSnapshot) -> Findings:
    """Checks that the controller of each Deployment will replace its pods."""
    field = ("spec", "paused")
    for rendered in snapshot.manifest.of_kind("Deployment"):
        is_paused = rendered.spec.get("paused")
        if is_paused:
            yield error(
                rendered.subject,
                "The chart pauses it: its controller would replace no pod, and the rollout would never end.",
                "Remove spec.paused from the chart.",
                field,
            )
        elif is_paused is None and ((snapshot.live_of(rendered) or {}).get("spec") or {}).get("paused"):
            yield error(
                rendered.subject,
                "Somebody paused it: its controller would replace no pod, and the rollout would never end.",
                f"Run `kubectl --context {snapshot.settings.context} --namespace {snapshot.namespace} "
                f"rollout resume {rendered.subject.lower()}`, or set spec.paused to false in the chart.",
                field,
            )


def _annotations_are_valid(snapshot: PreflightSnapshot) -> Findings:
    """Checks the annotations with which a workload overrides `rollout` of release.yaml."""
    for rendered in snapshot.manifest.objects:
        for problem in annotation_problems(rendered.annotations):
            yield error(rendered.subject, problem, "Correct the annotation.", ("metadata", "annotations"))


def _recent_rollouts_were_fast(snapshot: PreflightSnapshot) -> Findings:
    succeeded = [
        record
        for record in snapshot.records
        if record.result in {"deployed", "verified"} and "deploy" in record.seconds
    ]
    recent = succeeded[-RECENT_ROLLOUTS:]
    slowest = max((record.seconds["deploy"] for record in recent), default=0)
    timeout = snapshot.settings.timeout_seconds
    if slowest > timeout * SLOW_SHARE:
        yield warning(
            f"Namespace/{snapshot.namespace}",
            f"The slowest of the last rollouts ({len(recent)}) took {slowest:.0f} s of the {timeout:.0f} s "
            "that are allowed.",
            f"Raise timeout_seconds of {snapshot.environment} in release.yaml.",
        )


CHECK = PreflightCheck(
    id="probes",
    title="probes can succeed",
    rules=(
        _probes_can_succeed,
        _times_are_consistent,
        _is_not_paused,
        _annotations_are_valid,
        _recent_rollouts_were_fast,
    ),
)
