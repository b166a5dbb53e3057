"""Checks that Dapr understands the components, configurations, annotations and policies of the chart.

A value that Dapr refuses ends every sidecar at its start, unless `ignoreErrors` hides it. A name that Dapr
does not know is ignored silently.
"""

from collections.abc import Iterator
from difflib import get_close_matches

from todo_release.adapters.kubernetes.api_resources import SECRETS
from todo_release.adapters.kubernetes.manifest import DAPR_PREFIX, PodTemplate, RenderedObject
from todo_release.core.yaml_positions import YamlPath
from todo_release.preflight.check import PreflightCheck
from todo_release.preflight.checks.dapr_components import (
    components_are_well_formed,
    metadata_is_understood,
    value_text,
)
from todo_release.preflight.checks.dapr_schema import ANNOTATIONS, CONFIGURATION_SPEC
from todo_release.preflight.checks.dapr_topics import environments_have_own_topics
from todo_release.preflight.finding import Finding, Findings, warning
from todo_release.preflight.snapshot import PreflightSnapshot

APP_ID, APP_PORT = f"{DAPR_PREFIX}app-id", f"{DAPR_PREFIX}app-port"
POLICY_GROUPS = {"retry": "retries", "timeout": "timeouts", "circuitBreaker": "circuitBreakers"}


def _annotations_are_understood(snapshot: PreflightSnapshot) -> Findings:
    """Checks the annotations of pods with a sidecar; the injector ignores those that it does not know."""
    owners: dict[str, str] = {}
    for template in snapshot.manifest.pods():
        if template.has_sidecar:
            field = (*template.field, "metadata", "annotations")
            yield from _annotation_findings(template, field)
            yield from _shared_app_id(template, owners, field)
            yield from _wrong_app_port(template, field)


def _annotation_findings(template: PodTemplate, field: YamlPath) -> Iterator[Finding]:
    for key, text in template.annotations.items():
        if not key.startswith(DAPR_PREFIX):
            continue
        name = key.removeprefix(DAPR_PREFIX)
        value = ANNOTATIONS.get(name)
        if value is None:
            close = get_close_matches(name, ANNOTATIONS, 1, 0.6)
            yield warning(
                template.owner.subject,
                f"Dapr knows no annotation {key}, and ignores it.",
                f"Write {DAPR_PREFIX}{close[0]}, or remove it." if close else "Remove it.",
                (*field, key),
            )
        elif not value.accepts(str(text)):
            yield warning(
                template.owner.subject,
                f"The annotation {key} is {text!r}, which Dapr does not understand.",
                f"Allowed: {value.allowed}.",
                (*field, key),
            )


def _shared_app_id(template: PodTemplate, owners: dict[str, str], field: YamlPath) -> Iterator[Finding]:
    """Checks an app id against those of earlier workloads; adds it to `owners`."""
    owner = template.owner
    app_id = template.annotations.get(APP_ID, owner.name)
    other = owners.setdefault(app_id, owner.subject)
    if other != owner.subject:
        yield warning(
            owner.subject,
            f"It has the app id {app_id}, like {other}: Dapr takes them for replicas of one app.",
            f"Give each its own id in {APP_ID}.",
            (*field, APP_ID),
        )


def _wrong_app_port(template: PodTemplate, field: YamlPath) -> Iterator[Finding]:
    ports = {
        str(port["containerPort"])
        for _, container in template.containers()
        for port in container.get("ports") or ()
    }
    port = template.annotations.get(APP_PORT)
    if port and ports and port not in ports:
        yield warning(
            template.owner.subject,
            f"The sidecar calls the app on port {port}, the containers declare {', '.join(sorted(ports))}.",
            f"Correct {APP_PORT} or the container's port.",
            (*field, APP_PORT),
        )


def _configurations_are_understood(snapshot: PreflightSnapshot) -> Findings:
    for configuration in snapshot.manifest.of_kind("Configuration"):
        for key in sorted(configuration.spec.keys() - CONFIGURATION_SPEC):
            cause = f"A Configuration has no spec.{key}."
            yield warning(configuration.subject, cause, "Remove it.", ("spec", key))
        rate = value_text((configuration.spec.get("tracing") or {}).get("samplingRate"))
        if rate and not _is_share(rate):
            yield warning(
                configuration.subject,
                f"tracing.samplingRate is {rate!r}: Dapr uses 0.0001 instead.",
                "Write a number from 0 to 1, in quotes.",
                ("spec", "tracing", "samplingRate"),
            )
        action = (configuration.spec.get("accessControl") or {}).get("defaultAction", "allow")
        if action not in {"allow", "deny"}:
            yield warning(
                configuration.subject,
                f"accessControl.defaultAction is {action!r}: Dapr uses deny instead.",
                "Write allow or deny.",
                ("spec", "accessControl", "defaultAction"),
            )


def _policies_apply(snapshot: PreflightSnapshot) -> Findings:
    """Checks that targets and policies exist; Dapr ignores those that do not."""
    components = {component.name for component in snapshot.manifest.of_kind("Component")}
    for resiliency in snapshot.manifest.of_kind("Resiliency"):
        targets = (resiliency.spec.get("targets") or {}).get("components") or {}
        for name, directions in targets.items():
            field: YamlPath = ("spec", "targets", "components", name)
            if name not in components:
                yield warning(
                    resiliency.subject,
                    f"It has policies for the component {name}, which the chart does not have.",
                    f"Use one of: {', '.join(sorted(components)) or 'none is rendered'}.",
                    field,
                )
            for direction, policies in (directions or {}).items():
                for kind, policy in (policies or {}).items():
                    yield from _undefined_policy(resiliency, name, kind, policy, (*field, direction, kind))


def _undefined_policy(
    resiliency: RenderedObject, component: str, kind: str, policy: str, field: YamlPath
) -> Iterator[Finding]:
    group = POLICY_GROUPS.get(kind, kind)
    if policy not in ((resiliency.spec.get("policies") or {}).get(group) or {}):
        yield warning(
            resiliency.subject,
            f"{component} uses the {kind} policy {policy}, which is not defined: Dapr applies none.",
            f"Define it under policies.{group}, or correct the name.",
            field,
        )


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


CHECK = PreflightCheck(
    id="dapr",
    title="Dapr understands the chart",
    needs=(SECRETS,),
    rules=(
        metadata_is_understood, components_are_well_formed, _annotations_are_understood,
        _configurations_are_understood, _policies_apply, environments_have_own_topics,
    ),
)  # fmt: skip
