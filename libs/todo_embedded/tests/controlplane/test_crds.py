"""The kinds of Dapr, cert-manager and the Prometheus operator are served, with their schemas."""

from typing import Any

import pytest

from todo_embedded.errors import ApiError

from .namespaces import Namespace

COMPONENT = ("Component", "dapr.io/v1alpha1", {"type": "pubsub.redis", "version": "v1", "metadata": []})
CERTIFICATE = (
    "Certificate",
    "cert-manager.io/v1",
    {"secretName": "tls", "dnsNames": ["shop.example"], "issuerRef": {"name": "ca"}},
)
SERVICE_MONITOR = (
    "ServiceMonitor",
    "monitoring.coreos.com/v1",
    {"selector": {"matchLabels": {"app": "web"}}, "endpoints": [{"port": "http"}]},
)
RULES = (
    "PrometheusRule",
    "monitoring.coreos.com/v1",
    {"groups": [{"name": "web", "rules": [{"alert": "Down", "expr": "up == 0", "for": "5m"}]}]},
)


@pytest.mark.parametrize(
    ("kind", "version", "spec"),
    [COMPONENT, CERTIFICATE, SERVICE_MONITOR, RULES],
    ids=lambda value: str(value)[:20],
)
def test_valid_object_is_accepted(
    namespace: Namespace, kind: str, version: str, spec: dict[str, Any]
) -> None:
    """An object of each kind is stored as it was sent."""
    assert namespace.create(kind, "one", api_version=version, spec=spec)["spec"] == spec


@pytest.mark.parametrize(
    ("kind", "version", "spec", "reason"),
    [
        (*COMPONENT[:2], {"version": "v1", "metadata": []}, r"spec\.type: Required value"),
        (*CERTIFICATE[:2], {"dnsNames": ["shop.example"]}, r"spec\.secretName: Required value"),
        (*SERVICE_MONITOR[:2], {"endpoints": []}, r"spec\.selector: Required value"),
        (*RULES[:2], {"groups": [{"name": "web", "rules": [{"alert": "Down"}]}]}, r"expr: Required value"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_invalid_object_is_refused(
    namespace: Namespace, kind: str, version: str, spec: dict[str, Any], reason: str
) -> None:
    """An object without a required field is refused with the field's name."""
    with pytest.raises(ApiError, match=reason):
        namespace.create(kind, "one", api_version=version, spec=spec)
