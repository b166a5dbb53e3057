"""Dapr takes the components, configurations and annotations of the chart as they are meant, and not only as
YAML.

What Dapr refuses ends every sidecar at its start, unless `ignoreErrors` hides it; what it ignores hides
itself.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from todo_release.adapters.kubernetes.manifest import DAPR, Rendered
from todo_release.core.yaml_positions import Path
from todo_release.preflight.check import Check
from todo_release.preflight.checks.dapr_schema import (
    ANNOTATIONS,
    COMPONENT_SPEC,
    COMPONENTS,
    CONFIGURATION_SPEC,
    ComponentType,
    Value,
)
from todo_release.preflight.finding import Finding, Findings, error, note, warning
from todo_release.preflight.snapshot import SECRETS, PreflightSnapshot, Sibling

NAMESPACE_TEMPLATE = "{namespace}"
BROKER = {"pubsub.kafka": "brokers", "pubsub.redis": "redisHost"}


def _components_are_understood(snapshot: PreflightSnapshot) -> Findings:
    """Every name is known, every value is one that means something, everything needed is there."""
    for component in snapshot.manifest.of_kind("Component"):
        kind = str(component.spec.get("type", ""))
        table = COMPONENTS.get(kind)
        if table is None:
            yield note(
                component.subject,
                f"What {kind} accepts is not known here, so its metadata was not checked.",
                "Compare it with the component's page at docs.dapr.io.",
                ("spec", "type"),
            )
            continue
        given = _items(component)
        for index, (name, item) in enumerate(given.items()):
            field: Path = ("spec", "metadata", index)
            value = table.find(name)
            if value is None:
                yield _unknown(component, table, name, field)
            else:
                yield from _item(snapshot, component, value, item, field)
        yield from _completeness(component, table, given)


def _items(component: Rendered) -> dict[str, Mapping[str, object]]:
    return {str(one["name"]): one for one in component.spec.get("metadata") or ()}


def _unknown(component: Rendered, table: ComponentType, name: str, field: Path) -> Finding:
    close = get_close_matches(name, table.values, 1, 0.6)
    return warning(
        component.subject,
        f"{component.spec['type']} has no metadata {name}: Dapr ignores it without a word.",
        f"Write {close[0]}, or remove it." if close else "Remove it.",
        field,
    )


def _item(
    snapshot: PreflightSnapshot,
    component: Rendered,
    value: Value,
    item: Mapping[str, object],
    field: Path,
) -> Iterator[Finding]:
    """A value under a key of a Secret is compared with the allowed words by fingerprints, and never shown."""
    reference = item.get("secretKeyRef")
    if not isinstance(reference, Mapping):
        text = _text(item.get("value"))
        if text and not value.accepts(text):
            yield _wrong(component, f"{item['name']} is {text!r}", value, field)
    elif value.kind == "words":
        name, key = str(reference["name"]), str(reference.get("key") or reference["name"])
        facts = snapshot.secret(name)
        kept = facts.keys.get(key) if facts else None
        if kept is not None and kept not in {snapshot.live.words.get(word) for word in value.spellings}:
            what = f"Key {key} of Secret {name} holds no {item['name']} that is known"
            yield _wrong(component, what, value, field)


def _wrong(component: Rendered, what: str, value: Value, field: Path) -> Finding:
    outcome = (
        f"Dapr takes it for {value.ignored} without a word"
        if value.ignored
        else "Dapr refuses it, and sidecars that load this component end"
    )
    say = warning if value.kind == "switch" else error
    return say(component.subject, f"{what}: {outcome}.", f"Allowed: {value.allowed}.", field)


def _completeness(
    component: Rendered, table: ComponentType, given: Mapping[str, Mapping[str, object]]
) -> Iterator[Finding]:
    folded = {name.lower(): item for name, item in given.items()}
    wanted = list(table.required)
    for (name, trigger), others in table.needs.items():
        if _text(folded.get(name.lower(), {}).get("value")).lower() == trigger:
            wanted += others
    missing = [name for name in wanted if not _is_given(folded.get(name.lower()))]
    if missing:
        yield error(
            component.subject,
            f"It has no {' and no '.join(missing)}: Dapr refuses it, and sidecars that load it end.",
            f"Add {', '.join(missing)}.",
            ("spec", "metadata"),
        )
    is_mtls = _text(folded.get("authtype", {}).get("value")).lower() == "mtls"
    if is_mtls and _text(folded.get("disabletls", {}).get("value")).lower() == "true":
        yield error(
            component.subject,
            "authType is mtls although disableTls is true: Dapr refuses it.",
            "Remove disableTls.",
            ("spec", "metadata"),
        )
    if component.spec["type"] == "pubsub.kafka" and "initialoffset" not in folded:
        yield note(
            component.subject,
            "initialOffset is not set: a new consumer group starts at the end and misses what was before.",
            "Set initialOffset to oldest where no event may be lost, else to newest.",
            ("spec", "metadata"),
        )


def _is_given(item: Mapping[str, object] | None) -> bool:
    return item is not None and ("secretKeyRef" in item or "envRef" in item or _text(item.get("value")) != "")


def _components_have_a_good_shape(snapshot: PreflightSnapshot) -> Findings:
    """What surrounds the metadata: scopes, hidden errors, templates with side effects."""
    app_ids = {
        one.annotations.get(f"{DAPR}app-id", one.owner.name)
        for one in snapshot.manifest.pods()
        if one.has_sidecar
    }
    for component in snapshot.manifest.of_kind("Component"):
        for key in component.spec.keys() - COMPONENT_SPEC:
            is_scopes = key == "scopes"
            say = error if is_scopes else warning
            yield say(
                component.subject,
                f"spec.{key} is no part of a component: Helm 3 drops it in silence, Helm 4 is refused."
                + (" Unscoped, every app is handed the broker's credentials." if is_scopes else ""),
                f"Move {key} to the top level, beside spec." if is_scopes else f"Remove {key}.",
                ("spec", key),
            )
        scopes = component.body.get("scopes") or []
        has_secrets = any("secretKeyRef" in item for item in _items(component).values())
        if not scopes and has_secrets and "scopes" not in component.spec:
            yield warning(
                component.subject,
                "It has no scopes, so every app of the namespace is handed its credentials.",
                "List the app ids that use it under scopes, at the top level.",
            )
        for index, scope in enumerate(scopes):
            if scope not in app_ids:
                yield warning(
                    component.subject,
                    f"It is scoped to {scope}, and no app of the chart has that id.",
                    f"Use one of: {', '.join(sorted(app_ids))}.",
                    ("scopes", index),
                )
        if component.spec.get("ignoreErrors"):
            yield warning(
                component.subject,
                "ignoreErrors hides it when Dapr refuses this component: apps start and nothing is"
                " delivered.",
                "Remove ignoreErrors.",
                ("spec", "ignoreErrors"),
            )
        for index, (name, item) in enumerate(_items(component).items()):
            if NAMESPACE_TEMPLATE in _text(item.get("value")):
                yield warning(
                    component.subject,
                    f"{name} contains {NAMESPACE_TEMPLATE}: Dapr then also puts the namespace before every"
                    " topic.",
                    "Write the namespace out (.Release.Namespace), unless that is what you want.",
                    ("spec", "metadata", index),
                )


def _annotations_are_understood(snapshot: PreflightSnapshot) -> Findings:
    """The injector ignores annotations that it does not know."""
    owners: dict[str, str] = {}
    for template in snapshot.manifest.pods():
        if not template.has_sidecar:
            continue
        field = (*template.field, "metadata", "annotations")
        for key, text in template.annotations.items():
            name = key.removeprefix(DAPR)
            if not key.startswith(DAPR):
                continue
            value = ANNOTATIONS.get(name)
            if value is None:
                close = get_close_matches(name, ANNOTATIONS, 1, 0.6)
                yield warning(
                    template.owner.subject,
                    f"Dapr knows no annotation {key}, and ignores it.",
                    f"Write {DAPR}{close[0]}, or remove it." if close else "Remove it.",
                    (*field, key),
                )
            elif not value.accepts(str(text)):
                yield warning(
                    template.owner.subject,
                    f"The annotation {key} is {text!r}, which Dapr does not understand.",
                    f"Allowed: {value.allowed}.",
                    (*field, key),
                )
        yield from _app(snapshot, owners, template.owner, template.annotations, field)
        ports = {
            str(port["containerPort"]) for _, one in template.containers() for port in one.get("ports") or ()
        }
        port = template.annotations.get(f"{DAPR}app-port")
        if port and ports and port not in ports:
            yield warning(
                template.owner.subject,
                f"The sidecar is to find the app on port {port}, but the containers declare"
                f" {', '.join(sorted(ports))}.",
                f"Correct {DAPR}app-port or the container's port.",
                (*field, f"{DAPR}app-port"),
            )


def _app(
    snapshot: PreflightSnapshot,
    owners: dict[str, str],
    owner: Rendered,
    annotations: Mapping[str, str],
    field: Path,
) -> Iterator[Finding]:
    app_id = annotations.get(f"{DAPR}app-id", owner.name)
    other = owners.setdefault(app_id, owner.subject)
    if other != owner.subject:
        yield warning(
            owner.subject,
            f"It has the app id {app_id}, as {other} has: Dapr takes them for replicas of one app.",
            f"Give each an id of its own in {DAPR}app-id.",
            (*field, f"{DAPR}app-id"),
        )


def _configurations_are_understood(snapshot: PreflightSnapshot) -> Findings:
    for one in snapshot.manifest.of_kind("Configuration"):
        for key in sorted(one.spec.keys() - CONFIGURATION_SPEC):
            yield warning(one.subject, f"A Configuration has no spec.{key}.", "Remove it.", ("spec", key))
        rate = _text((one.spec.get("tracing") or {}).get("samplingRate"))
        if rate and not _is_share(rate):
            yield warning(
                one.subject,
                f"tracing.samplingRate is {rate!r}: Dapr uses 0.0001 instead.",
                "Write a number from 0 to 1, in quotes.",
                ("spec", "tracing", "samplingRate"),
            )
        action = (one.spec.get("accessControl") or {}).get("defaultAction", "allow")
        if action not in {"allow", "deny"}:
            yield warning(
                one.subject,
                f"accessControl.defaultAction is {action!r}: Dapr takes it for deny.",
                "Write allow or deny.",
                ("spec", "accessControl", "defaultAction"),
            )


def _resiliency_applies(snapshot: PreflightSnapshot) -> Findings:
    """A target or policy that is named and does not exist is passed over."""
    components = {one.name for one in snapshot.manifest.of_kind("Component")}
    for one in snapshot.manifest.of_kind("Resiliency"):
        policies = one.spec.get("policies") or {}
        for name, directions in ((one.spec.get("targets") or {}).get("components") or {}).items():
            field: Path = ("spec", "targets", "components", name)
            if name not in components:
                yield warning(
                    one.subject,
                    f"It has policies for the component {name}, which the chart does not have.",
                    f"Use one of: {', '.join(sorted(components)) or 'none is rendered'}.",
                    field,
                )
            for direction, used in (directions or {}).items():
                for kind, policy in (used or {}).items():
                    group = {
                        "retry": "retries",
                        "timeout": "timeouts",
                        "circuitBreaker": "circuitBreakers",
                    }.get(kind, kind)
                    if policy not in (policies.get(group) or {}):
                        yield warning(
                            one.subject,
                            f"{name} uses the {kind} policy {policy}, which is not defined: Dapr applies"
                            " none.",
                            f"Define it under policies.{group}, or correct the name.",
                            (*field, direction, kind),
                        )


def _environments_are_apart(snapshot: PreflightSnapshot) -> Findings:
    """Two environments on one broker have other topics, or one consumes the other's events."""
    for sibling in snapshot.siblings:
        if snapshot.topic_prefix is None or snapshot.topic_prefix != sibling.topic_prefix:
            continue
        for component in snapshot.manifest.of_kind("Component"):
            shares = _shares_broker(snapshot, component, sibling)
            if shares is None:
                continue
            prefix = f"begin with {snapshot.topic_prefix!r}" if snapshot.topic_prefix else "have no prefix"
            say, condition = (error, "") if shares else (warning, " If both use one broker,")
            yield say(
                component.subject,
                f"Topics {prefix} in {snapshot.environment} and in {sibling.name}.{condition}"
                f" {'They share a broker, so each' if shares else 'each'} environment consumes the other's"
                " events.",
                f"Give one of them another {snapshot.config.preflight.topic_prefix} in its values.",
                ("spec", "metadata"),
            )


def _shares_broker(snapshot: PreflightSnapshot, component: Rendered, sibling: Sibling) -> bool | None:
    """Whether a component of another environment has the same broker; None when it surely has not."""
    kind = str(component.spec.get("type"))
    name = BROKER.get(kind)
    other = sibling.manifest.find("Component", component.name)
    if name is None or other is None or other.spec.get("type") != kind:
        return None
    ours, theirs = _items(component).get(name, {}), _items(other).get(name, {})
    if "value" not in ours or "value" not in theirs:
        return False
    address = _text(ours["value"])
    is_local = (
        "." not in address.split(":", maxsplit=1)[0] and sibling.settings.namespace != snapshot.namespace
    )
    return True if address == _text(theirs["value"]) and not is_local else None


def _text(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


CHECK = Check(
    id="dapr",
    title="Dapr takes the chart as it is meant",
    needs=(SECRETS,),
    rules=(
        _components_are_understood, _components_have_a_good_shape, _annotations_are_understood,
        _configurations_are_understood, _resiliency_applies, _environments_are_apart,
    ),
)  # fmt: skip
