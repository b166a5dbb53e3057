"""Components and workloads of Dapr, and what the check finds in them."""

from typing import Any

from todo_release.preflight.checks.dapr import CHECK

from ..snapshots import (
    make_snapshot,
    summaries_of,
    workload,
)

GOOD = {
    "brokers": "broker.shop.test:9092",
    "authType": "password",
    "saslUsername": "shop",
    "saslMechanism": "SHA-256",
    "initialOffset": "oldest",
    "consumerGroup": "staging-{appID}",
    "backOffDuration": "5s",
}


def component(
    kind: str = "pubsub.kafka", spec: dict[str, Any] | None = None, **values: Any
) -> dict[str, Any]:
    """Returns a valid component with other values; None removes an item, a dict is a whole item."""
    items_by_name = (
        {**GOOD, "saslPassword": {"secretKeyRef": {"name": "app", "key": "P"}}}
        if kind == "pubsub.kafka"
        else {}
    ) | values
    items = [
        {"name": name, **(value if isinstance(value, dict) else {"value": value})}
        for name, value in items_by_name.items()
        if value is not None
    ]
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "pubsub"},
        "spec": {"type": kind, "version": "v1", "metadata": items, **(spec or {})},
        "scopes": ["web"],
    }


def app(**annotations: str) -> dict[str, Any]:
    """Returns a workload with a sidecar."""
    named = {f"dapr.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    ports = [{"containerPort": 8000}]
    return workload(
        annotations={"dapr.io/enabled": "true", "dapr.io/app-id": "web", **named},
        containers=[{"name": "web", "image": "a", "ports": ports}],
    )


def causes(*objects: dict[str, Any], **rest: Any) -> list[tuple[str, str]]:
    """Returns (severity, cause) of what is found beside a valid app."""
    return [
        (severity, cause)
        for severity, _, cause in summaries_of(CHECK, make_snapshot(app(), *objects, **rest))
    ]
