"""Probes ask for what the service has and anybody may ask for, and the times of a rollout fit into each
other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.preflight.check import Check
from todo_release.preflight.finding import Finding, Findings, Severity, error, note, warning
from todo_release.preflight.snapshot import PreflightSnapshot

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
RECENT = 5
TIGHT = 0.75


def _probes_ask_for_what_is_there(snapshot: PreflightSnapshot) -> Findings:
    undeclared = set()
    for template in snapshot.manifest.pods():
        for field, container in template.containers():
            ports = {port.get("name") for port in container.get("ports") or ()}
            for kind in PROBES:
                handler = _handler(container, kind)
                port = handler.get("port")
                if isinstance(port, str) and port not in ports:
                    yield error(
                        template.owner.subject,
                        f"The {kind} of {container['name']} asks port {port!r}, which the container does"
                        " not have.",
                        "Use one of:"
                        f" {', '.join(sorted(name for name in ports if name)) or 'none is named'}.",
                        (*field, kind),
                    )
                if "path" in handler:
                    name = _image(snapshot, container)
                    for finding in _path(snapshot, name, kind, str(handler["path"])):
                        if finding.severity is Severity.NOTE:  # one an image is enough
                            if name in undeclared:
                                continue
                            undeclared.add(name)
                        yield replace(finding, subject=template.owner.subject, field=(*field, kind))


def _handler(container: JsonObject, kind: str) -> Mapping[str, Any]:
    probe = container.get(kind) or {}
    return probe.get("httpGet") or probe.get("tcpSocket") or {}


def _path(snapshot: PreflightSnapshot, name: str | None, kind: str, path: str) -> Iterator[Finding]:
    """By the paths that release.yaml declares as health, and by the contract for what that covers."""
    if name is None or path in snapshot.config.images[name].health:
        return
    health = snapshot.config.images[name].health
    contract = snapshot.contracts.get(name) or {}
    operation = (contract.get("paths") or {}).get(path, {}).get("get")
    if operation is not None:
        if operation.get("security", contract.get("security")):
            yield error(
                "",
                f"The {kind} asks for {path}, which wants a login: the pod never becomes ready.",
                "Ask for a path that is never guarded, such as /healthz.",
            )
    elif health:
        yield error(
            "",
            f"The {kind} asks for {path}, which is no health path of {name} ({', '.join(health)}).",
            "Correct the probe, or declare the path under images in release.yaml.",
        )
    else:
        yield note(
            "",
            f"Probes ask for paths such as {path}; what {name} answers without a login is not declared.",
            f"Declare images.{name}.health in release.yaml.",
        )


def _image(snapshot: PreflightSnapshot, container: JsonObject) -> str | None:
    """The image of release.yaml that a container runs."""
    reference = str(container.get("image", ""))
    for name in snapshot.config.images:
        repository = snapshot.config.registry.reference(name)
        if reference.startswith((f"{repository}@", f"{repository}:")):
            return name
    return None


def _times_fit(snapshot: PreflightSnapshot) -> Findings:
    """A rollout that is declared stalled while its probes still wait fails although nothing is wrong."""
    timeout = snapshot.settings.timeout_seconds
    for template in snapshot.manifest.pods():
        owner = template.owner
        if owner.kind == "Job":
            limit = owner.spec.get("activeDeadlineSeconds")
            if owner.hooks and limit and limit >= timeout:
                yield warning(
                    owner.subject,
                    f"The hook may take {limit} s and the whole release only {timeout:.0f} s: it cannot"
                    " fail first.",
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
                f"Its probes allow a start of {patience} s, but the rollout counts as stalled after"
                f" {deadline} s.",
                "Raise progressDeadlineSeconds above it, or let the probes give up sooner.",
                ("spec", "progressDeadlineSeconds"),
            )
        if deadline >= timeout:
            yield note(
                owner.subject,
                f"The rollout counts as stalled after {deadline} s, the release waits only {timeout:.0f} s.",
                f"Raise timeout_seconds of {snapshot.environment} in release.yaml, or lower"
                " progressDeadlineSeconds.",
                ("spec", "progressDeadlineSeconds"),
            )


def _seconds(container: JsonObject) -> int:
    """How long a container may take until it is ready: its startup probe, then one look of the readiness
    probe.
    """
    startup, readiness = container.get("startupProbe") or {}, container.get("readinessProbe") or {}
    wait = startup.get("initialDelaySeconds", 0)
    wait += startup.get("periodSeconds", 10) * startup.get("failureThreshold", 3) if startup else 0
    wait += readiness.get("initialDelaySeconds", 0)
    return int(wait + (readiness.get("periodSeconds", 10) if readiness else 0))


def _last_rollouts_were_quick(snapshot: PreflightSnapshot) -> Findings:
    done = [
        one for one in snapshot.records if one.result in {"deployed", "verified"} and "deploy" in one.seconds
    ]
    slowest = max((one.seconds["deploy"] for one in done[-RECENT:]), default=0)
    timeout = snapshot.settings.timeout_seconds
    if slowest > timeout * TIGHT:
        yield warning(
            f"Namespace/{snapshot.namespace}",
            f"One of the last {len(done[-RECENT:])} rollouts took {slowest:.0f} s of the {timeout:.0f} s"
            " that are allowed.",
            f"Raise timeout_seconds of {snapshot.environment} in release.yaml.",
        )


CHECK = Check(
    id="probes",
    title="probes can succeed",
    rules=(_probes_ask_for_what_is_there, _times_fit, _last_rollouts_were_quick),
)
