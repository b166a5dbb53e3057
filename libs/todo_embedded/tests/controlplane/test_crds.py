"""The kinds of Dapr, cert-manager and the Prometheus operator are served, with their schemas."""

from typing import Any

import pytest

from todo_embedded.controlplane.control_plane import ControlPlane
from todo_embedded.controlplane.crds import is_served
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


def test_definition_is_served_when_its_objects_can_be_listed(
    plane: ControlPlane, namespace: Namespace
) -> None:
    """A kind is not served while a list is answered by 404 or 429; then it can be listed at once."""
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gates.{namespace.name}.example.com"},
        "spec": {
            "group": f"{namespace.name}.example.com",
            "scope": "Cluster",
            "names": {"plural": "gates", "kind": "Gate"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                }
            ],
        },
    }
    plane.api.create(definition)
    namespace.wait_until(lambda: is_served(plane.api, definition))
    assert plane.api.items(f"apis/{namespace.name}.example.com/v1/gates") == []


@pytest.mark.parametrize(("status", "is_starting"), [(429, True), (503, True), (403, False)])
def test_only_a_server_that_starts_a_kind_is_waited_for(status: int, is_starting: bool) -> None:
    """429 means that the kind's storage is being initialised; what is forbidden stays an error."""

    class RefusingApi:
        def read(self, path: str) -> Any:
            raise ApiError(status, f"GET {path} was refused")

    definition = {
        "spec": {
            "group": "example.com",
            "names": {"plural": "gates"},
            "versions": [{"name": "v1", "served": True}],
        }
    }
    api: Any = RefusingApi()
    if is_starting:
        assert not is_served(api, definition)
    else:
        with pytest.raises(ApiError):
            is_served(api, definition)
