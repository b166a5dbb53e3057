"""Probes ask for what the service has and anybody may ask for, and the times of a rollout fit into each other."""

from collections.abc import Iterator, Mapping
from typing import Any

from todo_release.config import Image
from todo_release.located import Path
from todo_release.observed import JsonObject
from todo_release.preflight.check import Check
from todo_release.preflight.finding import Finding, Findings, error, note, warning
from todo_release.preflight.manifest import PodTemplate
from todo_release.preflight.picture import Picture

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
RECENT = 5
TIGHT = 0.75


def _probes_ask_for_what_is_there(picture: Picture) -> Findings:
    for template in picture.manifest.pods():
        for field, container in template.containers():
            ports = {port.get("name") for port in container.get("ports") or ()}
            for kind in PROBES:
                handler = _handler(container, kind)
                port = handler.get("port")
                if isinstance(port, str) and port not in ports:
                    yield error(
                        template.owner.subject,
                        f"The {kind} of {container['name']} asks port {port!r}, which the container does not have.",
                        f"Use one of: {', '.join(sorted(name for name in ports if name)) or 'none is named'}.",
                        (*field, kind),
                    )
                if "path" in handler:
                    yield from _path(picture, template, container, kind, str(handler["path"]), (*field, kind))


def _handler(container: JsonObject, kind: str) -> Mapping[str, Any]:
    probe = container.get(kind) or {}
    return probe.get("httpGet") or probe.get("tcpSocket") or {}


def _path(
    picture: Picture, template: PodTemplate, container: JsonObject, kind: str, path: str, field: Path
) -> Iterator[Finding]:
    """By the paths that release.yaml declares as health, and by the contract for what that covers."""
    name, image = _image(picture, container)
    if image is None or path in image.health:
        return
    operation = ((picture.contracts.get(name) or {}).get("paths") or {}).get(path, {}).get("get")
    if operation is not None:
        document = picture.contracts[name]
        if operation.get("security", document.get("security")):
            yield error(
                template.owner.subject,
                f"The {kind} asks for {path}, which wants a login: the pod never becomes ready.",
                "Ask for a path that is never guarded, such as /healthz.",
                field,
            )
    elif image.health:
        yield error(
            template.owner.subject,
            f"The {kind} asks for {path}, which is none of the health paths of {name} ({', '.join(image.health)}).",
            "Correct the probe, or declare the path under images in release.yaml.",
            field,
        )
    else:
        yield note(
            template.owner.subject,
            f"The {kind} asks for {path}; what {name} answers without a login is not declared.",
            f"Declare images.{name}.health in release.yaml.",
            field,
        )


def _image(picture: Picture, container: JsonObject) -> tuple[str, Image | None]:
    reference = str(container.get("image", ""))
    for name, image in picture.config.images.items():
        if reference.startswith((f"{picture.config.registry.reference(name)}@", f"{picture.config.registry.reference(name)}:")):
            return name, image
    return "", None


def _times_fit(picture: Picture) -> Findings:
    """A rollout that is declared stalled while its probes still wait fails although nothing is wrong."""
    timeout = picture.settings.timeout_seconds
    for template in picture.manifest.pods():
        owner = template.owner
        if owner.kind == "Job":
            limit = owner.spec.get("activeDeadlineSeconds")
            if owner.hooks and limit and limit >= timeout:
                yield warning(
                    owner.subject,
                    f"The hook may take {limit} s and the whole release only {timeout:.0f} s: it cannot fail first.",
                    "Make activeDeadlineSeconds shorter than timeout_seconds.",
                    ("spec", "activeDeadlineSeconds"),
                )
            continue
        if owner.kind != "Deployment":
            continue
        deadline = owner.spec.get("progressDeadlineSeconds", 600)
        patience = max((_seconds(one) for _, one in template.containers()), default=0)
        patience += owner.spec.get("minReadySeconds", 0)
        if patience >= deadline:
            yield warning(
                owner.subject,
                f"Its probes allow a start of {patience} s, but the rollout counts as stalled after {deadline} s.",
                "Raise progressDeadlineSeconds above it, or let the probes give up sooner.",
                ("spec", "progressDeadlineSeconds"),
            )
        if deadline >= timeout:
            yield warning(
                owner.subject,
                f"The rollout counts as stalled after {deadline} s, the release waits only {timeout:.0f} s.",
                f"Raise timeout_seconds of {picture.environment} in release.yaml, or lower progressDeadlineSeconds.",
                ("spec", "progressDeadlineSeconds"),
            )


def _seconds(container: JsonObject) -> int:
    """How long a container may take until it is ready: its startup probe, then one success of the readiness probe."""
    startup, readiness = container.get("startupProbe") or {}, container.get("readinessProbe") or {}
    wait = startup.get("initialDelaySeconds", 0)
    wait += startup.get("periodSeconds", 10) * startup.get("failureThreshold", 3) if startup else 0
    wait += readiness.get("initialDelaySeconds", 0)
    return int(wait + (readiness.get("periodSeconds", 10) if readiness else 0))


def _last_rollouts_were_quick(picture: Picture) -> Findings:
    done = [one for one in picture.records if one.result in {"deployed", "verified"} and "deploy" in one.seconds]
    slowest = max((one.seconds["deploy"] for one in done[-RECENT:]), default=0)
    timeout = picture.settings.timeout_seconds
    if slowest > timeout * TIGHT:
        yield warning(
            f"Namespace/{picture.namespace}",
            f"One of the last {len(done[-RECENT:])} rollouts took {slowest:.0f} s of the {timeout:.0f} s that are allowed.",
            f"Raise timeout_seconds of {picture.environment} in release.yaml.",
        )


CHECK = Check(
    id="probes",
    title="probes can succeed",
    rules=(_probes_ask_for_what_is_there, _times_fit, _last_rollouts_were_quick),
)
