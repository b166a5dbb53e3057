"""Live objects are read with one list for each kind, or one by one."""

from pathlib import Path
from typing import Any

import pytest

from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.live_objects import read_live_objects

from ...doubles.kubernetes_api import ApiDouble

KINDS = [("Service", "services"), ("Secret", "secrets"), ("ServiceAccount", "serviceaccounts")]
NAMESPACE = "api/v1/namespaces/staging"


def wanted(kind: str, name: str, namespace: str = "staging") -> dict[str, Any]:
    """Returns an object as a chart renders it."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}}


@pytest.fixture
def cluster(api: ApiDouble, tmp_path: Path) -> Cluster:
    """Returns a cluster with Services and Secrets, `c` of which are missing."""
    api.objects["api/v1"] = {
        "resources": [{"kind": kind, "name": plural, "namespaced": True} for kind, plural in KINDS]
    }
    for _, plural in KINDS:
        for name in ("a", "b"):
            api.put(f"{NAMESPACE}/{plural}/{name}", {"metadata": {"name": name, "uid": f"{plural}-{name}"}})
    api.put("api/v1/namespaces/other/services/a", {"metadata": {"name": "a", "uid": "other-a"}})
    return Cluster.connect("here", api.kubeconfig(tmp_path))


def test_several_objects_of_a_kind_are_one_request(api: ApiDouble, cluster: Cluster) -> None:
    """A single object is read itself, and Secrets always are, because Helm's lie beside them."""
    objects = [
        wanted("Service", "b"),
        wanted("Secret", "a"),
        wanted("Service", "c"),
        wanted("ServiceAccount", "a"),
        wanted("Service", "a", "other"),
        wanted("Service", "a"),
        wanted("Secret", "b"),
    ]
    found = read_live_objects(cluster, objects, "staging")
    assert [live and live["metadata"]["uid"] for live in found] == [
        "services-b", "secrets-a", None, "serviceaccounts-a", "other-a", "services-a", "secrets-b",
    ]  # fmt: skip
    assert found[0]["kind"] == "Service"
    assert sorted(path for path in api.requests if path.startswith("api/v1/")) == [
        "api/v1/namespaces/other/services/a",
        f"{NAMESPACE}/secrets/a",
        f"{NAMESPACE}/secrets/b",
        f"{NAMESPACE}/serviceaccounts/a",
        f"{NAMESPACE}/services",
    ]


def test_account_that_may_not_list_reads_one_by_one(api: ApiDouble, cluster: Cluster) -> None:
    """An account of another tool may have the right to get each object only."""
    api.refused[f"{NAMESPACE}/services"] = 403
    found = read_live_objects(cluster, [wanted("Service", "a"), wanted("Service", "b")], "staging")
    assert [live["metadata"]["uid"] for live in found] == ["services-a", "services-b"]


def test_kind_that_is_not_served_has_no_live_objects(cluster: Cluster) -> None:
    """A definition may have been deleted."""
    assert read_live_objects(cluster, [wanted("Widget", "a"), wanted("Widget", "b")], "staging") == [
        None,
        None,
    ]
