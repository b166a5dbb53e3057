"""The client of an API server: reads, writes that detect conflicts, and errors with their reason."""

import base64
from pathlib import Path

import pytest

from todo_release.adapters.kubernetes.client import ApiConflictError, ApiRefusedError, Cluster
from todo_release.adapters.kubernetes.objects import WorkloadRef
from todo_release.errors import ClusterError

from ...doubles.kubernetes_api import ApiDouble
from ...doubles.kubernetes_objects import WEB, container, deployment, event, pod, replica_set

NAMESPACE = "api/v1/namespaces/staging"


def test_context_that_does_not_exist_is_refused(api: ApiDouble, tmp_path: Path) -> None:
    """The error names the context, before anything is sent."""
    with pytest.raises(ClusterError, match="'there'") as caught:
        Cluster.connect("there", api.kubeconfig(tmp_path))
    assert "get-contexts" in caught.value.remedy


def test_server_that_does_not_answer_is_an_error_with_the_context(api: ApiDouble, tmp_path: Path) -> None:
    """Nothing listens on port 1."""
    api.url = "http://127.0.0.1:1"
    with pytest.raises(ClusterError, match="'here' did not answer"):
        Cluster.connect("here", api.kubeconfig(tmp_path)).read("version")


@pytest.mark.parametrize(
    ("status", "remedy"), [(401, "Renew"), (403, "right"), (422, "Correct"), (500, "Run")]
)
def test_refusal_is_an_error_with_the_reason_of_the_server(
    cluster: Cluster, api: ApiDouble, status: int, remedy: str
) -> None:
    """Only a 404 means that an object does not exist."""
    api.refusal = status
    with pytest.raises(ApiRefusedError, match=f"{status}.*not today") as caught:
        cluster.read(f"{NAMESPACE}/configmaps/a")
    assert remedy in caught.value.remedy
    assert caught.value.status == status


def test_read_sends_the_accept_header(cluster: Cluster, api: ApiDouble) -> None:
    """The default is JSON."""
    api.objects["apis"] = {"kind": "APIGroupDiscoveryList"}
    cluster.read("apis", accept="application/json;as=APIGroupDiscoveryList")
    cluster.read("version")
    assert api.accepted["apis"] == "application/json;as=APIGroupDiscoveryList"
    assert api.accepted["version"] == "application/json"


def test_config_map_is_created_and_replaced(cluster: Cluster, api: ApiDouble) -> None:
    """Data is replaced as a whole; labels that others set stay."""
    assert cluster.get_config_map("staging", "journal") is None
    cluster.put_config_map("staging", "journal", {"a": "1"}, {"x": "y"})
    api.objects[f"{NAMESPACE}/configmaps/journal"]["metadata"]["labels"]["theirs"] = "z"
    cluster.put_config_map("staging", "journal", {"b": "2"}, {"x": "w"})
    assert cluster.get_config_map("staging", "journal") == {"b": "2"}
    assert api.objects[f"{NAMESPACE}/configmaps/journal"]["metadata"]["labels"] == {"x": "w", "theirs": "z"}


def test_write_after_another_write_is_a_conflict(cluster: Cluster, api: ApiDouble) -> None:
    """Replacing an object that changed since, or creating one that exists, changes nothing."""
    cluster.put_config_map("staging", "journal", {"a": "1"})
    path = f"{NAMESPACE}/configmaps/journal"
    read = cluster.read(path)
    api.put(path, read)
    with pytest.raises(ApiConflictError, match="has been modified"):
        cluster.replace(path, read)
    with pytest.raises(ApiConflictError, match="already exists"):
        cluster.create(f"{NAMESPACE}/configmaps", read)


def test_secret_keys_contain_no_values(cluster: Cluster, api: ApiDouble) -> None:
    """Only the names of the keys are returned."""
    api.put(f"{NAMESPACE}/secrets/app", {"metadata": {"name": "app"}, "data": {"URL": "aHVudGVyMg=="}})
    api.put(f"{NAMESPACE}/secrets/empty", {"metadata": {"name": "empty"}})
    assert cluster.secret_keys("staging") == {"app": frozenset({"URL"}), "empty": frozenset()}


def test_pull_secret_returns_its_docker_config(cluster: Cluster, api: ApiDouble) -> None:
    """A missing Secret gives None."""
    encoded = base64.b64encode(b'{"auths": {}}').decode()
    data = {".dockerconfigjson": encoded}
    api.put(f"{NAMESPACE}/secrets/pull", {"metadata": {"name": "pull"}, "data": data})
    assert cluster.pull_secret("staging", "pull") == '{"auths": {}}'
    assert cluster.pull_secret("staging", "none") is None


def test_log_is_empty_when_the_container_has_not_run(cluster: Cluster, api: ApiDouble) -> None:
    """The API server answers 400 for a waiting container, and the kubelet 200 for a log it deleted."""
    api.logs[f"{NAMESPACE}/pods/web/log", True] = "boom\n"
    assert cluster.log("staging", "web", "web", previous=True) == "boom\n"
    assert cluster.log("staging", "web", "web") == ""
    api.logs[f"{NAMESPACE}/pods/web/log", False] = "unable to retrieve container logs for containerd://0"
    assert cluster.log("staging", "web", "web") == ""


def test_snapshot_joins_workloads_pods_and_events(cluster: Cluster, api: ApiDouble) -> None:
    """The snapshot holds everything that the rollout watcher needs."""
    for folder, body in (
        ("apis/apps/v1/namespaces/staging/deployments", deployment()),
        ("apis/apps/v1/namespaces/staging/replicasets", replica_set(2)),
        (f"{NAMESPACE}/pods", pod(container())),
        (f"{NAMESPACE}/events", {**event("uid-web-2-a", "Failed", "x"), "metadata": {"name": "e"}}),
    ):
        api.put(f"{folder}/{body['metadata']['name']}", body)
    snapshot = cluster.snapshot("staging", [WEB])
    assert [pod.name for pod in snapshot.pods_of(snapshot.workloads[WEB])] == ["web-2-a"]
    assert [event.message for event in snapshot.events_of("uid-web-2-a", "Failed")] == ["x"]


def test_snapshot_reads_other_namespaces_and_custom_resources(cluster: Cluster, api: ApiDouble) -> None:
    """Each workload is read where it is; a kind that the server does not have is left out."""
    monitoring = "apis/apps/v1/namespaces/monitoring"
    api.put(f"{monitoring}/deployments/web", deployment())
    api.put(f"{monitoring}/replicasets/web-2", replica_set(2))
    api.put("api/v1/namespaces/monitoring/pods/web-2-a", pod(container()))
    api.objects["apis/shop.example/v1"] = {
        "resources": [{"kind": "Widget", "name": "widgets", "namespaced": True}]
    }
    widget = {"metadata": {"name": "one", "uid": "uid-one", "generation": 1}}
    api.put("apis/shop.example/v1/namespaces/staging/widgets/one", widget)
    there = WorkloadRef("Deployment", "web", "monitoring")
    one = WorkloadRef("Widget", "one", api_version="shop.example/v1")
    gadget = WorkloadRef("Gadget", "one", api_version="shop.example/v1")
    snapshot = cluster.snapshot("staging", [WEB, there, one, gadget])
    assert set(snapshot.workloads) == {there, one}
    assert [pod.name for pod in snapshot.pods_of(snapshot.workloads[there])] == ["web-2-a"]


def test_object_that_the_server_names_has_no_live_object(cluster: Cluster, api: ApiDouble) -> None:
    """Every release creates another one."""
    hook = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "migrate-"}}
    assert cluster.live(hook, "staging") is None
    assert cluster.applied(hook, "staging", manager="test") is None


def test_live_finds_the_object_that_a_rendered_one_describes(cluster: Cluster, api: ApiDouble) -> None:
    """The plural comes from the server's discovery; a kind that it does not serve gives None."""
    kinds = [
        {"kind": "Deployment", "name": "deployments", "namespaced": True},
        {"kind": "Deployment", "name": "deployments/scale", "namespaced": True},
    ]
    api.objects["apis/apps/v1"] = {"resources": kinds}
    api.put("apis/apps/v1/namespaces/staging/deployments/web", deployment())
    wanted = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    assert cluster.live(wanted, "staging")["metadata"]["uid"] == "uid-web"
    assert cluster.live({**wanted, "kind": "Widget"}, "staging") is None


def test_kind_that_is_defined_meanwhile_is_found(cluster: Cluster, api: ApiDouble) -> None:
    """A first release brings definitions, so "not served" is not remembered."""
    widget = {"apiVersion": "shop.example/v1", "kind": "Widget", "metadata": {"name": "main"}}
    assert cluster.live(widget, "staging") is None
    kinds = [{"name": "widgets", "kind": "Widget", "namespaced": True}]
    api.objects["apis/shop.example/v1"] = {"metadata": {}, "resources": kinds}
    api.put("apis/shop.example/v1/namespaces/staging/widgets/main", widget)
    assert cluster.live(widget, "staging")["kind"] == "Widget"


def test_deleting_what_is_not_there_is_no_error(cluster: Cluster, api: ApiDouble) -> None:
    """An object is deleted once; a second call finds nothing to do, and a refusal is an error."""
    path = "api/v1/namespaces/staging/secrets/keys"
    api.put(path, {"metadata": {"name": "keys"}})
    cluster.delete(path)
    cluster.delete(path)
    assert path not in api.objects
    api.refusal = 403
    with pytest.raises(ApiRefusedError, match="refused to delete"):
        cluster.delete(path)
