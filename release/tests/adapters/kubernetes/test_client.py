"""The engine's view of an API server: reads, writes that notice others, and errors with their reason."""

import base64
from pathlib import Path

import pytest

from todo_release.adapters.kubernetes.client import Cluster, ConflictError, RefusedError
from todo_release.errors import ClusterError

from ...doubles.kubernetes_api import ApiDouble
from ...doubles.kubernetes_objects import WEB, container, deployment, event, pod, replica_set

NAMESPACE = "api/v1/namespaces/staging"


def test_a_context_that_does_not_exist_is_told(api: ApiDouble, tmp_path: Path) -> None:
    """Before anything is sent."""
    with pytest.raises(ClusterError, match="'there'") as caught:
        Cluster.connect("there", api.kubeconfig(tmp_path))
    assert "get-contexts" in caught.value.remedy


def test_a_server_that_is_not_there_is_told_with_the_context(api: ApiDouble, tmp_path: Path) -> None:
    """Port 1 answers nobody."""
    api.url = "http://127.0.0.1:1"
    with pytest.raises(ClusterError, match="'here' did not answer"):
        Cluster.connect("here", api.kubeconfig(tmp_path)).read("version")


@pytest.mark.parametrize(("status", "remedy"), [(401, "Renew"), (403, "right"), (500, "Read")])
def test_a_refusal_is_told_with_the_servers_reason(
    cluster: Cluster, api: ApiDouble, status: int, remedy: str
) -> None:
    """Only a 404 means that something is not there."""
    api.refusal = status
    with pytest.raises(RefusedError, match=f"{status}.*not today") as caught:
        cluster.read(f"{NAMESPACE}/configmaps/a")
    assert remedy in caught.value.remedy
    assert caught.value.status == status


def test_another_form_of_an_answer_is_asked_for(cluster: Cluster, api: ApiDouble) -> None:
    """By the header; JSON unless something else is wanted."""
    api.objects["apis"] = {"kind": "APIGroupDiscoveryList"}
    cluster.read("apis", accept="application/json;as=APIGroupDiscoveryList")
    cluster.read("version")
    assert api.accepted["apis"] == "application/json;as=APIGroupDiscoveryList"
    assert api.accepted["version"] == "application/json"


def test_a_config_map_is_made_and_replaced(cluster: Cluster, api: ApiDouble) -> None:
    """Labels that others set stay; data is exactly what is put."""
    assert cluster.get_config_map("staging", "journal") is None
    cluster.put_config_map("staging", "journal", {"a": "1"}, {"x": "y"})
    api.objects[f"{NAMESPACE}/configmaps/journal"]["metadata"]["labels"]["theirs"] = "z"
    cluster.put_config_map("staging", "journal", {"b": "2"}, {"x": "w"})
    assert cluster.get_config_map("staging", "journal") == {"b": "2"}
    assert api.objects[f"{NAMESPACE}/configmaps/journal"]["metadata"]["labels"] == {"x": "w", "theirs": "z"}


def test_a_write_that_somebody_overtook_is_a_conflict(cluster: Cluster, api: ApiDouble) -> None:
    """Replacing what changed since, or creating what is there, loses nobody's work."""
    cluster.put_config_map("staging", "journal", {"a": "1"})
    path = f"{NAMESPACE}/configmaps/journal"
    read = cluster.read(path)
    api.put(path, read)
    with pytest.raises(ConflictError, match="has been modified"):
        cluster.replace(path, read)
    with pytest.raises(ConflictError, match="already exists"):
        cluster.create(f"{NAMESPACE}/configmaps", read)


def test_secret_keys_are_names_only(cluster: Cluster, api: ApiDouble) -> None:
    """Values never leave the reader."""
    api.put(f"{NAMESPACE}/secrets/app", {"metadata": {"name": "app"}, "data": {"URL": "aHVudGVyMg=="}})
    api.put(f"{NAMESPACE}/secrets/empty", {"metadata": {"name": "empty"}})
    assert cluster.secret_keys("staging") == {"app": frozenset({"URL"}), "empty": frozenset()}


def test_a_pull_secret_is_its_docker_config(cluster: Cluster, api: ApiDouble) -> None:
    """None when there is no such Secret."""
    encoded = base64.b64encode(b'{"auths": {}}').decode()
    data = {".dockerconfigjson": encoded}
    api.put(f"{NAMESPACE}/secrets/pull", {"metadata": {"name": "pull"}, "data": data})
    assert cluster.pull_secret("staging", "pull") == '{"auths": {}}'
    assert cluster.pull_secret("staging", "none") is None


def test_a_log_is_text_and_empty_when_the_container_has_not_run(cluster: Cluster, api: ApiDouble) -> None:
    """The server answers 400 for a container that waits."""
    api.logs[f"{NAMESPACE}/pods/web/log", True] = "boom\n"
    assert cluster.log("staging", "web", "web", previous=True) == "boom\n"
    assert cluster.log("staging", "web", "web") == ""
    api.logs[f"{NAMESPACE}/pods/web/log", False] = "unable to retrieve container logs for containerd://0"
    assert cluster.log("staging", "web", "web") == ""


def test_a_snapshot_joins_workloads_pods_and_events(cluster: Cluster, api: ApiDouble) -> None:
    """One look at everything the watch needs."""
    for folder, body in (
        ("apis/apps/v1/namespaces/staging/deployments", deployment()),
        ("apis/apps/v1/namespaces/staging/replicasets", replica_set(2)),
        (f"{NAMESPACE}/pods", pod(container())),
        (f"{NAMESPACE}/events", {**event("uid-web-2-a", "Failed", "x"), "metadata": {"name": "e"}}),
    ):
        api.put(f"{folder}/{body['metadata']['name']}", body)
    found = cluster.snapshot("staging", [WEB])
    assert [one.name for one in found.pods_of(found.workloads[WEB])] == ["web-2-a"]
    assert [one.message for one in found.events_of("uid-web-2-a", "Failed")] == ["x"]


def test_live_finds_the_object_that_a_rendered_one_describes(cluster: Cluster, api: ApiDouble) -> None:
    """Through the server's own list of kinds; one it does not know is not there."""
    kinds = [
        {"kind": "Deployment", "name": "deployments", "namespaced": True},
        {"kind": "Deployment", "name": "deployments/scale", "namespaced": True},
    ]
    api.objects["apis/apps/v1"] = {"resources": kinds}
    api.put("apis/apps/v1/namespaces/staging/deployments/web", deployment())
    wanted = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    assert cluster.live(wanted, "staging")["metadata"]["uid"] == "uid-web"
    assert cluster.live({**wanted, "kind": "Widget"}, "staging") is None
