"""Checks that environments on one broker use different topics. A rule of `dapr`."""

from todo_release.adapters.kubernetes.manifest import RenderedObject
from todo_release.preflight.checks.dapr_components import metadata_items, value_text
from todo_release.preflight.finding import Findings, error, warning
from todo_release.preflight.snapshot import PreflightSnapshot, SiblingEnvironment

BROKER_ADDRESS = {"pubsub.kafka": "brokers", "pubsub.redis": "redisHost"}


def environments_have_own_topics(snapshot: PreflightSnapshot) -> Findings:
    """Checks topic prefixes, because environments with equal topics consume each other's events."""
    for sibling in snapshot.siblings:
        if snapshot.topic_prefix is None or snapshot.topic_prefix != sibling.topic_prefix:
            continue
        for component in snapshot.manifest.of_kind("Component"):
            shares = _shares_broker(snapshot, component, sibling)
            if shares is None:
                continue
            prefix = f"begin with {snapshot.topic_prefix!r}" if snapshot.topic_prefix else "have no prefix"
            finding, condition = (
                (error, "They share a broker, so each")
                if shares
                else (warning, "If both use one broker, each")
            )
            yield finding(
                component.subject,
                f"Topics {prefix} in {snapshot.environment} and in {sibling.name}. {condition} environment "
                "consumes the other's events.",
                f"Give one of them another {snapshot.config.preflight.topic_prefix} in its values.",
                ("spec", "metadata"),
            )


def _shares_broker(
    snapshot: PreflightSnapshot, component: RenderedObject, sibling: SiblingEnvironment
) -> bool | None:
    """Returns whether both environments use one broker: False when not known, None when surely not."""
    kind = str(component.spec.get("type"))
    item_name = BROKER_ADDRESS.get(kind)
    other = sibling.manifest.find("Component", component.name)
    if item_name is None or other is None or other.spec.get("type") != kind:
        return None
    ours, theirs = metadata_items(component).get(item_name, {}), metadata_items(other).get(item_name, {})
    if "value" not in ours or "value" not in theirs:
        return False
    address = value_text(ours["value"])
    host = address.split(":", maxsplit=1)[0]
    # A host without a dot is a Service of the own namespace.
    is_in_namespace = "." not in host and sibling.settings.namespace != snapshot.namespace
    return True if address == value_text(theirs["value"]) and not is_in_namespace else None
