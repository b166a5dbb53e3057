"""The engine and the embedded control plane agree on the paths of objects."""

import pytest

from todo_embedded.controlplane.object_paths import location
from todo_release.adapters.kubernetes.api_resources import resource_of


@pytest.mark.parametrize(
    ("api_version", "kind", "namespace"),
    [
        ("v1", "Node", None),
        ("v1", "Secret", "staging"),
        ("apps/v1", "Deployment", "staging"),
        ("networking.k8s.io/v1", "Ingress", "staging"),
        ("networking.k8s.io/v1", "IngressClass", None),
        ("networking.k8s.io/v1", "NetworkPolicy", "staging"),
        ("dapr.io/v1alpha1", "Resiliency", "staging"),
    ],
)
def test_paths_are_the_same(api_version: str, kind: str, namespace: str | None) -> None:
    """`resource_of` and `location` give the same path for an object."""
    metadata = {"name": "x"} | ({"namespace": namespace} if namespace else {})
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": metadata}
    assert location(manifest) == f"{resource_of(api_version, kind).path(namespace)}/x"
