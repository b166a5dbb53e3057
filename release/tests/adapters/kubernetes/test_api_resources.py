"""The table of API paths: plurals, scopes and paths."""

import pytest

from todo_embedded.controlplane.api_client import collection
from todo_release.adapters.kubernetes import api_resources
from todo_release.adapters.kubernetes.api_resources import DEPLOYMENTS, NODES, Resource, resource_of

KINDS = (
    ("v1", "Pod", "pods"),
    ("v1", "Node", "nodes"),
    ("apps/v1", "Deployment", "deployments"),
    ("networking.k8s.io/v1", "Ingress", "ingresses"),
    ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    ("networking.k8s.io/v1", "IngressClass", "ingressclasses"),
    ("storage.k8s.io/v1", "StorageClass", "storageclasses"),
)


@pytest.mark.parametrize(("api_version", "kind", "plural"), KINDS)
def test_plural_is_the_one_of_kubernetes_and_of_the_embedded_control_plane(
    api_version: str, kind: str, plural: str
) -> None:
    """The engine and the embedded control plane are two packages with one rule."""
    resource = resource_of(api_version, kind)
    assert resource.plural == plural
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}}
    assert collection(manifest) == resource.path()
    namespaced = {**manifest, "metadata": {"name": "x", "namespace": "staging"}}
    assert not resource.is_namespaced or collection(namespaced) == resource.path("staging")


def test_path_of_a_cluster_scoped_list_has_no_namespace() -> None:
    """A namespace is ignored where objects have none."""
    assert NODES.path("staging") == NODES.path() == "api/v1/nodes"
    assert DEPLOYMENTS.path() == "apis/apps/v1/deployments"
    assert DEPLOYMENTS.path("staging") == "apis/apps/v1/namespaces/staging/deployments"


def test_name_is_the_one_that_kubectl_prints() -> None:
    """The core group has no name."""
    assert (str(DEPLOYMENTS), str(NODES)) == ("deployments.apps", "nodes")


def test_cluster_scoped_lists_are_exactly_those_without_a_namespace() -> None:
    """A constant that is missing in CLUSTER_SCOPED would be read from a namespace."""
    lists = [value for value in vars(api_resources).values() if isinstance(value, Resource)]
    assert {resource for resource in lists if not resource.is_namespaced} == set(api_resources.CLUSTER_SCOPED)
