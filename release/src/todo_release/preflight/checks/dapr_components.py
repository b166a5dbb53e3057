"""Checks that Dapr understands components: their metadata, scopes and other fields. Rules of `dapr`."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from todo_release.adapters.kubernetes.manifest import DAPR_PREFIX, RenderedObject
from todo_release.core.yaml_positions import YamlPath
from todo_release.preflight.checks.dapr_schema import COMPONENT_SPEC, COMPONENTS, ComponentType, Value
from todo_release.preflight.finding import Finding, Findings, error, note, warning
from todo_release.preflight.snapshot import PreflightSnapshot

NAMESPACE_TEMPLATE = "{namespace}"
MetadataItem = Mapping[str, object]


def metadata_items(component: RenderedObject) -> dict[str, MetadataItem]:
    """Returns the metadata items of a component by name."""
    return {str(item["name"]): item for item in component.spec.get("metadata") or ()}


def value_text(value: object) -> str:
    """Returns a value as Dapr reads it: booleans in lower case, null as empty."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def metadata_is_understood(snapshot: PreflightSnapshot) -> Findings:
    """Checks that every item is known, every value is accepted, and every required item is there."""
    for component in snapshot.manifest.of_kind("Component"):
        component_type = COMPONENTS.get(str(component.spec.get("type", "")))
        if component_type is None:
            yield note(
                component.subject,
                f"What {component.spec.get('type', '')} accepts is not known here, so its metadata was not "
                "checked.",
                "Compare it with the component's page at docs.dapr.io.",
                ("spec", "type"),
            )
            continue
        items = metadata_items(component)
        for index, (name, item) in enumerate(items.items()):
            field: YamlPath = ("spec", "metadata", index)
            value = component_type.find(name)
            if value is None:
                yield _unknown_item(component, component_type, name, field)
            else:
                yield from _rejected_value(snapshot, component, value, item, field)
        yield from _missing_items(component, component_type, items)
        yield from _kafka_findings(component, items)


def _unknown_item(
    component: RenderedObject, component_type: ComponentType, name: str, field: YamlPath
) -> Finding:
    close = get_close_matches(name, component_type.values, 1, 0.6)
    return warning(
        component.subject,
        f"{component.spec['type']} has no metadata {name}: Dapr ignores it silently.",
        f"Write {close[0]}, or remove it." if close else "Remove it.",
        field,
    )


def _rejected_value(
    snapshot: PreflightSnapshot,
    component: RenderedObject,
    value: Value,
    item: MetadataItem,
    field: YamlPath,
) -> Iterator[Finding]:
    """Checks a value; one in a Secret is compared with the allowed words by fingerprint, and never shown."""
    reference = item.get("secretKeyRef")
    if not isinstance(reference, Mapping):
        text = value_text(item.get("value"))
        if text and not value.accepts(text):
            yield _rejected(component, f"{item['name']} is {text!r}", value, field)
    elif value.kind == "words":
        name, key = str(reference["name"]), str(reference.get("key") or reference["name"])
        secret = snapshot.secret(name)
        fingerprint = secret.keys.get(key) if secret else None
        allowed = {snapshot.live.word_fingerprints.get(word) for word in value.spellings}
        if fingerprint is not None and fingerprint not in allowed:
            problem = f"Key {key} of Secret {name} is no {item['name']} that Dapr knows"
            yield _rejected(component, problem, value, field)


def _rejected(component: RenderedObject, problem: str, value: Value, field: YamlPath) -> Finding:
    outcome = (
        f"Dapr silently uses {value.ignored} instead"
        if value.ignored
        else "Dapr refuses it, and sidecars that load this component exit"
    )
    finding = warning if value.kind == "switch" else error
    return finding(component.subject, f"{problem}: {outcome}.", f"Allowed: {value.allowed}.", field)


def _missing_items(
    component: RenderedObject, component_type: ComponentType, items: Mapping[str, MetadataItem]
) -> Iterator[Finding]:
    folded = {name.lower(): item for name, item in items.items()}
    required = list(component_type.required)
    for (name, trigger), others in component_type.needs.items():
        if value_text(folded.get(name.lower(), {}).get("value")).lower() == trigger:
            required += others
    missing = [name for name in required if not _has_value(folded.get(name.lower()))]
    if missing:
        yield error(
            component.subject,
            f"It has no {' and no '.join(missing)}: Dapr refuses it, and sidecars that load it exit.",
            f"Add {', '.join(missing)}.",
            ("spec", "metadata"),
        )


def _has_value(item: MetadataItem | None) -> bool:
    return item is not None and (
        "secretKeyRef" in item or "envRef" in item or value_text(item.get("value")) != ""
    )


def _kafka_findings(component: RenderedObject, items: Mapping[str, MetadataItem]) -> Iterator[Finding]:
    """Checks combinations of items that Dapr's Kafka code has rules for."""
    folded = {name.lower(): value_text(item.get("value")).lower() for name, item in items.items()}
    if folded.get("authtype") == "mtls" and folded.get("disabletls") == "true":
        yield error(
            component.subject,
            "authType is mtls although disableTls is true: Dapr refuses it.",
            "Remove disableTls.",
            ("spec", "metadata"),
        )
    if component.spec["type"] == "pubsub.kafka" and "initialoffset" not in folded:
        yield note(
            component.subject,
            "initialOffset is not set: a new consumer group starts at the end and misses earlier events.",
            "Set initialOffset to oldest where no event may be lost, else to newest.",
            ("spec", "metadata"),
        )


def components_are_well_formed(snapshot: PreflightSnapshot) -> Findings:
    """Checks what surrounds the metadata: unknown fields, scopes, hidden errors, namespace templates."""
    app_ids = {
        template.annotations.get(f"{DAPR_PREFIX}app-id", template.owner.name)
        for template in snapshot.manifest.pods()
        if template.has_sidecar
    }
    for component in snapshot.manifest.of_kind("Component"):
        yield from _unknown_fields(component)
        yield from _scope_findings(component, app_ids)
        if component.spec.get("ignoreErrors"):
            yield warning(
                component.subject,
                "ignoreErrors hides that Dapr refuses this component: apps start and nothing is delivered.",
                "Remove ignoreErrors.",
                ("spec", "ignoreErrors"),
            )
        for index, (name, item) in enumerate(metadata_items(component).items()):
            if NAMESPACE_TEMPLATE in value_text(item.get("value")):
                yield warning(
                    component.subject,
                    f"{name} contains {NAMESPACE_TEMPLATE}: Dapr then also puts the namespace before every "
                    "topic.",
                    "Write the namespace out (.Release.Namespace), unless that is what you want.",
                    ("spec", "metadata", index),
                )


def _unknown_fields(component: RenderedObject) -> Iterator[Finding]:
    for key in component.spec.keys() - COMPONENT_SPEC:
        is_scopes = key == "scopes"
        finding = error if is_scopes else warning
        yield finding(
            component.subject,
            f"spec.{key} is no field of a component: Helm 3 drops it silently, Helm 4 fails."
            + (" Without scopes every app receives the broker's credentials." if is_scopes else ""),
            f"Move {key} to the top level, beside spec." if is_scopes else f"Remove {key}.",
            ("spec", key),
        )


def _scope_findings(component: RenderedObject, app_ids: set[str]) -> Iterator[Finding]:
    scopes = component.body.get("scopes") or []
    has_secrets = any("secretKeyRef" in item for item in metadata_items(component).values())
    if not scopes and has_secrets and "scopes" not in component.spec:
        yield warning(
            component.subject,
            "It has no scopes, so every app of the namespace receives its credentials.",
            "List the app ids that use it under scopes, at the top level.",
        )
    for index, scope in enumerate(scopes):
        if scope not in app_ids:
            yield warning(
                component.subject,
                f"Its scope {scope} is no app id of the chart.",
                f"Use one of: {', '.join(sorted(app_ids))}.",
                ("scopes", index),
            )
