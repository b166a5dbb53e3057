"""Server-side apply and merge patches of the client, on a real API server."""

from typing import Any

import pytest

from todo_release.adapters.kubernetes.client import ApiConflictError, Cluster

from .shared_control_plane import SharedControlPlane

PATH = "api/v1/namespaces/default/configmaps/applied"


@pytest.fixture
def cluster(shared: SharedControlPlane) -> Cluster:
    """Returns a client of the shared control plane."""
    return Cluster.connect("rehearsal", shared.plane.kubeconfig)


def config_map(**data: str) -> dict[str, Any]:
    """Returns a ConfigMap with these data."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": data}


def test_apply_creates_removes_own_fields_and_keeps_those_of_others(cluster: Cluster) -> None:
    """A manager's second apply removes what it no longer sets, and nothing that another manager set."""
    cluster.apply(config_map(a="1", b="1"), "default", manager="one")
    cluster.apply(config_map(c="1"), "default", manager="two")
    cluster.apply(config_map(a="2"), "default", manager="one")
    assert cluster.read(PATH)["data"] == {"a": "2", "c": "1"}


def test_apply_without_force_refuses_a_field_of_another_manager(cluster: Cluster) -> None:
    """The field keeps its value; with force it is taken over."""
    cluster.apply(config_map(a="1"), "default", manager="one")
    with pytest.raises(ApiConflictError, match="one"):
        cluster.apply(config_map(a="2"), "default", manager="two", force=False)
    cluster.apply(config_map(a="2"), "default", manager="two")
    assert cluster.read(PATH)["data"]["a"] == "2"


def test_apply_of_a_kind_that_is_not_served_gives_none(cluster: Cluster) -> None:
    """The caller decides whether that is a mistake."""
    unserved = {"apiVersion": "example.com/v1", "kind": "Nothing", "metadata": {"name": "a"}}
    assert cluster.apply(unserved, "default", manager="one") is None


def test_patch_sets_and_removes_single_fields(cluster: Cluster) -> None:
    """None removes a field; the others stay."""
    cluster.apply(config_map(a="1", b="1"), "default", manager="one")
    patched = cluster.patch(PATH, {"data": {"a": None, "b": "2"}}, manager="three")
    assert patched["data"]["b"] == "2"
    assert "a" not in patched["data"]
