"""The copy of a live cluster: what is copied, what is not, and that it can run."""

import base64
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from todo_embedded.controlplane.api_client import ApiClient
from todo_embedded.controlplane.object_paths import KubeObject, location
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.config.model import Config
from todo_release.environments.environment import EnvironmentAccess
from todo_release.environments.history import RecordStore
from todo_release.preflight.cluster_reader import METRICS
from todo_release.rehearsal import cluster_copy, cluster_fixture
from todo_release.rehearsal.cluster_fixture import ClusterFixture

from ..doubles.kubernetes_api import ApiDouble, serve
from ..preflight.snapshots import CONFIG
from .deployable_shop import REHEARSAL_SETTINGS
from .sample_cluster import OBJECTS, PODS, VALUES, objects
from .shared_control_plane import SharedControlPlane
from .waiting import wait_until

HOST = "127.0.0.1:5000"


def config(staging: str, production: str) -> Config:
    """Returns the shop's release.yaml with these namespaces."""
    environments: dict[str, Any] = CONFIG["environments"]  # type: ignore[assignment]  # a mapping of mappings
    named = {
        name: {**environments[name], "namespace": namespace}
        for name, namespace in (("staging", staging), ("production", production))
    }
    return Config.model_validate({**CONFIG, "environments": named})


def production_of(cluster: Cluster, settings: Config) -> EnvironmentAccess:
    """Returns the environment production in a cluster, without Helm."""
    environment = settings.environments["production"]
    records = RecordStore(cluster, environment.namespace, environment.release)
    no_helm: Any = None
    return EnvironmentAccess(
        name="production", settings=environment, cluster=cluster, helm=no_helm, records=records
    )


@dataclass(frozen=True)
class Copy:
    """The copy of a cluster, and the environment's namespace in it."""

    fixture: ClusterFixture
    namespace: str

    def of(self, kind: str) -> dict[str, KubeObject]:
        """Returns the objects of a kind, by name."""
        return {
            manifest["metadata"]["name"]: manifest
            for manifest in self.fixture.objects
            if manifest["kind"] == kind
        }

    def secret(self, name: str) -> Any:
        """Returns a Secret of the environment."""
        return self.of("Secret")[name]


def _is_running(api: ApiClient, pod: KubeObject) -> bool:
    return bool(api.read(location(pod))["status"].get("phase") == "Running")


@pytest.fixture(scope="module")
def copy(shared: SharedControlPlane) -> Iterator[Copy]:
    """Yields the copy of the shared control plane with the sample objects."""
    api, namespace = shared.plane.api, f"copy-{uuid.uuid4().hex[:6]}"
    manifests = objects(OBJECTS, namespace)
    for manifest in manifests:
        api.create(manifest)
    for pod in objects(PODS, namespace):
        account = f"api/v1/namespaces/{pod['metadata']['namespace']}/serviceaccounts/default"
        wait_until(partial(api.read, account))
        wait_until(partial(_is_running, api, api.create(pod)))
    settings = config(namespace, f"{namespace}-empty")
    cluster = Cluster.connect("rehearsal", shared.plane.kubeconfig)
    yield Copy(cluster_copy.copy_cluster(production_of(cluster, settings), settings, HOST), namespace)
    for manifest in manifests:
        if "namespace" not in manifest["metadata"]:
            api.delete(location(manifest))


def test_copy_contains_no_secret_value(copy: Copy) -> None:
    """No value is copied, plain or encoded, except words from Dapr's documentation."""
    text = repr(copy.fixture)
    encoded = [base64.b64encode(value.encode()).decode() for value in VALUES]
    assert [value for value in (*VALUES, *encoded) if value in text] == []
    assert copy.secret("app")["stringData"] == {
        "PASSWORD": "rehearsal",
        "URL": "rehearsal",
        "MECHANISM": "SHA-256",
    }


def test_key_names_are_copied_and_objects_of_releases_are_not(copy: Copy) -> None:
    """Secrets and ConfigMaps keep their keys; Helm records, TLS Secrets and chart objects are left out."""
    assert set(copy.of("Secret")) == {"app", "pull"}
    assert HOST in copy.secret("pull")["stringData"][".dockerconfigjson"]
    assert set(copy.of("ConfigMap")) == {"settings"}
    assert copy.of("ConfigMap")["settings"]["data"] == {"COLOUR": "rehearsal"}


def test_nodes_are_those_of_the_cluster(copy: Copy) -> None:
    """The copied nodes have the names, sizes, labels and taints of the live ones."""
    assert [node.name for node in copy.fixture.nodes] == ["pool-1", "pool-2", "pool-3"]
    [first, *_] = copy.fixture.nodes
    assert first.allocatable == cluster_fixture.simulated_nodes(REHEARSAL_SETTINGS)[0].allocatable
    assert first.labels["topology.kubernetes.io/region"] == "fra1"
    assert first.taints == ()
    assert copy.fixture.summary.startswith(
        "a copy of the cluster of production: 3 nodes with the requests of "
    )


def test_pods_outside_the_environments_keep_their_node_and_size(
    copy: Copy,
) -> None:
    """A pod of another namespace is copied with its requests, and a pod of the environment is not."""
    pods = copy.of("Pod")
    assert "web-1" not in pods
    gate = pods["gate-1"]
    assert gate["spec"]["nodeName"] == "pool-2"
    assert gate["spec"]["priorityClassName"] == copy.namespace
    [container] = gate["spec"]["containers"]
    assert container["resources"]["requests"] == {"cpu": "300m", "memory": str(64 * 2**20)}
    assert gate["metadata"]["labels"] == {"app": "gate"}
    assert {pod["metadata"]["namespace"] for pod in pods.values()} >= {"kube-system"}


def test_limits_and_classes_are_copied_unchanged(copy: Copy) -> None:
    """Quotas, limit ranges and classes are copied; what every cluster has by itself is not."""
    assert copy.of("ResourceQuota")["budget"]["spec"] == {"hard": {"requests.cpu": "2"}}
    assert copy.of("LimitRange")["sizes"]["spec"]["limits"][0]["default"] == {"cpu": "200m"}
    assert copy.of("PriorityClass")[copy.namespace]["value"] == 7
    assert not [name for name in copy.of("PriorityClass") if name.startswith("system-")]
    assert copy.namespace in copy.of("IngressClass")
    assert copy.of("StorageClass")[copy.namespace]["provisioner"] == "csi.example.com"
    assert copy.of("ClusterIssuer")[copy.namespace]["spec"] == {"selfSigned": {}}
    labels = {name: manifest["metadata"]["labels"] for name, manifest in copy.of("Namespace").items()}
    assert labels[copy.namespace]["pod-security.kubernetes.io/enforce"] == "baseline"
    assert labels[f"{copy.namespace}-logs"] == {}  # pod security could refuse the copied pods
    assert not {"default", "kube-system"} & set(labels)


def test_definitions_are_copied_without_conversion(copy: Copy) -> None:
    """Definitions keep their kinds but lose their conversion webhook, which does not run."""
    definitions = copy.of("CustomResourceDefinition")
    assert {"subscriptions.dapr.io", "clusterissuers.cert-manager.io"} <= set(definitions)
    assert {definition["spec"]["conversion"]["strategy"] for definition in definitions.values()} == {"None"}
    assert copy.fixture.has_definitions


def test_webhook_is_copied_with_its_service_and_matches_nothing(copy: Copy) -> None:
    """A copied webhook keeps its namespace selector and gets an object selector that matches nothing."""
    [hook] = copy.of("ValidatingWebhookConfiguration")[copy.namespace]["webhooks"]
    assert hook["namespaceSelector"] == {"matchLabels": {"only": "there"}}
    assert hook["objectSelector"] == {"matchLabels": {"rehearsal": "never"}}
    assert copy.of("Service")["gate"]["spec"]["selector"] == {"app": "gate"}


def test_copy_can_run(copy: Copy, tmp_path: Path) -> None:
    """A control plane accepts every object of the copy and runs every pod, and its copy is the same."""
    with cluster_fixture.run_cluster(
        copy.fixture, tmp_path, image_check=lambda image: None, progress=lambda text: None
    ) as plane:
        root = f"api/v1/namespaces/{copy.namespace}"
        assert plane.api.read(f"{root}/secrets/app")["data"].keys() == {"PASSWORD", "URL", "MECHANISM"}
        assert plane.api.read(f"{root}/resourcequotas/budget") is not None
        assert plane.api.read(f"apis/cert-manager.io/v1/clusterissuers/{copy.namespace}") is not None
        phases = {pod["status"]["phase"] for pod in plane.api.items("api/v1/pods")}
        assert phases == {"Running"}
        settings = config(copy.namespace, f"{copy.namespace}-empty")
        cluster = Cluster.connect("rehearsal", plane.kubeconfig)
        second = cluster_copy.copy_cluster(production_of(cluster, settings), settings, HOST)
    assert set(map(location, second.objects)) == set(map(location, copy.fixture.objects))


@pytest.fixture
def api() -> Iterator[ApiDouble]:
    """Runs an empty API server."""
    with serve(ApiDouble()) as running:
        yield running


def copy_of(api: ApiDouble, folder: Path) -> ClusterFixture:
    """Returns the copy of a server's objects."""
    settings = config("staging", "production")
    cluster = Cluster.connect("here", api.kubeconfig(folder))
    return cluster_copy.copy_cluster(production_of(cluster, settings), settings, HOST)


def node(name: str, *, is_ready: bool = True, **spec: Any) -> dict[str, Any]:
    """Returns a node."""
    conditions = [{"type": "Ready", "status": str(is_ready)}]
    status = {"allocatable": {"cpu": "1"}, "capacity": {"cpu": "1"}, "conditions": conditions}
    return {"metadata": {"name": name}, "spec": spec, "status": status}


def test_node_that_takes_no_pods_takes_none_in_the_copy(api: ApiDouble, tmp_path: Path) -> None:
    """A cordoned or unready node gets a taint of its own, because controllers would remove theirs."""
    disk_pressure = {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}
    batch = {"key": "batch", "value": "yes", "effect": "NoSchedule"}
    for live in (
        node("open", taints=[batch, disk_pressure]),
        node("cordoned", unschedulable=True),
        node("gone", is_ready=False),
    ):
        api.put(f"api/v1/nodes/{live['metadata']['name']}", live)
    taints = {copied.name: list(copied.taints) for copied in copy_of(api, tmp_path).nodes}
    closed = {"key": "rehearsal/closed", "effect": "NoSchedule"}
    assert taints == {"open": [batch], "cordoned": [closed], "gone": [closed]}


def test_inactive_pods_are_left_out_and_unready_pods_have_no_labels(api: ApiDouble, tmp_path: Path) -> None:
    """Only ready pods keep their labels, because a Service must not select a pod that does not answer."""
    spec = {"nodeName": "open", "containers": [{"name": "c", "image": "i"}]}
    for name, status, extra in (
        ("done", {"phase": "Succeeded"}, {}),
        ("waiting", {"phase": "Pending"}, {"nodeName": ""}),
        ("unready", {"phase": "Running"}, {}),
        ("ready", {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}, {}),
    ):
        meta = {"name": name, "namespace": "other", "labels": {"app": "x"}}
        body = {"metadata": meta | {"uid": name}, "spec": spec | extra, "status": status}
        api.put(f"api/v1/namespaces/other/pods/{name}", body)
    labels = {
        manifest["metadata"]["name"]: manifest["metadata"]["labels"]
        for manifest in copy_of(api, tmp_path).objects
        if manifest["kind"] == "Pod"
    }
    assert labels == {"unready": {}, "ready": {"app": "x"}}


def test_aggregated_api_becomes_a_definition(api: ApiDouble, tmp_path: Path) -> None:
    """The metrics API is served in the copy exactly if the live cluster serves it."""
    assert copy_of(api, tmp_path).objects == ()
    served = {"name": "pods", "kind": "PodMetrics", "namespaced": True}
    listed = {"groupVersion": "metrics.k8s.io/v1beta1", "resources": [served]}
    api.objects[METRICS] = listed
    [definition] = copy_of(api, tmp_path).objects
    assert definition["metadata"]["name"] == "pods.metrics.k8s.io"
    assert definition["spec"]["scope"] == "Namespaced"
