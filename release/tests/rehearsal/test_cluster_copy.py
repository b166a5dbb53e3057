"""A site that is like a live cluster: what is taken, what is not, and that it can be booted."""

import base64
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from todo_embedded.controlplane.api_client import Api, Manifest, location
from todo_embedded.controlplane.nodes import DROPLETS
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.config.model import Config
from todo_release.environments.environment import Access
from todo_release.environments.history import Records
from todo_release.preflight.cluster_reader import METRICS
from todo_release.rehearsal import cluster_copy, cluster_fixture
from todo_release.rehearsal.cluster_fixture import Site

from ..doubles.kubernetes_api import ApiDouble, serve
from ..preflight.snapshots import CONFIG
from .sample_cluster import OBJECTS, PODS, VALUES, objects
from .shared_control_plane import SharedPlane
from .waiting import until

HOST = "127.0.0.1:5000"


def config(staging: str, production: str) -> Config:
    """release.yaml of the shop with these namespaces."""
    environments: dict[str, Any] = CONFIG["environments"]  # type: ignore[assignment]  # a mapping of mappings
    named = {
        name: {**environments[name], "namespace": namespace}
        for name, namespace in (("staging", staging), ("production", production))
    }
    return Config.model_validate({**CONFIG, "environments": named})


def reached(cluster: Cluster, found: Config) -> Access:
    """Production of that cluster; its charts are not looked at."""
    settings = found.environments["production"]
    records = Records(cluster, settings.namespace, settings.release)
    nothing: Any = None
    return Access(name="production", settings=settings, cluster=cluster, helm=nothing, records=records)


@dataclass(frozen=True)
class Twin:
    """A twin, and the environment's namespace in it."""

    site: Site
    namespace: str

    def of(self, kind: str) -> dict[str, Manifest]:
        """Objects of a kind, by name."""
        return {one["metadata"]["name"]: one for one in self.site.objects if one["kind"] == kind}

    def secret(self, name: str) -> Any:
        """A Secret of the environment."""
        return self.of("Secret")[name]


def _runs(api: Api, pod: Manifest) -> bool:
    return bool(api.read(location(pod))["status"].get("phase") == "Running")


@pytest.fixture(scope="module")
def made(shared: SharedPlane) -> Iterator[Twin]:
    """The twin of a furnished plane."""
    api, namespace = shared.plane.api, f"twin-{uuid.uuid4().hex[:6]}"
    made = objects(OBJECTS, namespace)
    for one in made:
        api.create(one)
    for one in objects(PODS, namespace):
        until(partial(api.read, f"api/v1/namespaces/{one['metadata']['namespace']}/serviceaccounts/default"))
        until(partial(_runs, api, api.create(one)))
    found = config(namespace, f"{namespace}-empty")
    cluster = Cluster.connect("rehearsal", shared.plane.kubeconfig)
    yield Twin(cluster_copy.of_cluster(reached(cluster, found), found, HOST), namespace)
    for one in made:
        if "namespace" not in one["metadata"]:
            api.delete(location(one))


def test_no_value_of_theirs_is_anywhere_in_the_site(made: Twin) -> None:
    """Neither as it is nor encoded; a word that any documentation of Dapr has is kept."""
    text = repr(made.site)
    encoded = [base64.b64encode(value.encode()).decode() for value in VALUES]
    assert [value for value in (*VALUES, *encoded) if value in text] == []
    assert made.secret("app")["stringData"] == {
        "PASSWORD": "rehearsal",
        "URL": "rehearsal",
        "MECHANISM": "SHA-256",
    }


def test_names_of_keys_are_taken_and_what_releases_make_is_not(made: Twin) -> None:
    """Helm's records, TLS Secrets and objects of a chart are the rehearsal's own business."""
    assert set(made.of("Secret")) == {"app", "pull"}
    assert HOST in made.secret("pull")["stringData"][".dockerconfigjson"]
    assert set(made.of("ConfigMap")) == {"settings"}
    assert made.of("ConfigMap")["settings"]["data"] == {"COLOUR": "rehearsal"}


def test_machines_are_those_of_the_cluster(made: Twin) -> None:
    """With their sizes, labels and taints."""
    assert [node.name for node in made.site.nodes] == ["pool-1", "pool-2", "pool-3"]
    [first, *_] = made.site.nodes
    assert first.allocatable == DROPLETS[0].allocatable
    assert first.labels["topology.kubernetes.io/region"] == "fra1"
    assert first.taints == ()
    assert made.site.told.startswith("twin of production: 3 nodes with the requests of ")


def test_pods_of_others_keep_their_place_and_size_and_those_of_environments_are_left_out(
    made: Twin,
) -> None:
    """The rehearsal deploys its own."""
    found = made.of("Pod")
    assert "web-1" not in found
    door = found["door-1"]
    assert door["spec"]["nodeName"] == "pool-2"
    assert door["spec"]["priorityClassName"] == made.namespace
    [container] = door["spec"]["containers"]
    assert container["resources"]["requests"] == {"cpu": "300m", "memory": str(64 * 2**20)}
    assert door["metadata"]["labels"] == {"app": "door"}
    assert {pod["metadata"]["namespace"] for pod in found.values()} >= {"kube-system"}


def test_bounds_and_classes_are_taken_as_they_are(made: Twin) -> None:
    """What a release may name, and what bounds it; what every cluster has is not made twice."""
    assert made.of("ResourceQuota")["room"]["spec"] == {"hard": {"requests.cpu": "2"}}
    assert made.of("LimitRange")["sizes"]["spec"]["limits"][0]["default"] == {"cpu": "200m"}
    assert made.of("PriorityClass")[made.namespace]["value"] == 7
    assert not [name for name in made.of("PriorityClass") if name.startswith("system-")]
    assert made.namespace in made.of("IngressClass")
    assert made.of("StorageClass")[made.namespace]["provisioner"] == "dobs.csi.digitalocean.com"
    assert made.of("ClusterIssuer")[made.namespace]["spec"] == {"selfSigned": {}}
    labels = {name: one["metadata"]["labels"] for name, one in made.of("Namespace").items()}
    assert labels[made.namespace]["pod-security.kubernetes.io/enforce"] == "baseline"
    assert labels[f"{made.namespace}-logs"] == {}  # a standard there would refuse the occupants
    assert not {"default", "kube-system"} & set(labels)


def test_definitions_are_the_clusters_own_and_convert_nothing(made: Twin) -> None:
    """A webhook that converts between versions would be asked and never answer."""
    definitions = made.of("CustomResourceDefinition")
    assert {"subscriptions.dapr.io", "clusterissuers.cert-manager.io"} <= set(definitions)
    assert {one["spec"]["conversion"]["strategy"] for one in definitions.values()} == {"None"}
    assert made.site.has_definitions


def test_webhook_is_there_to_be_seen_with_its_service_and_concerns_nothing(made: Twin) -> None:
    """Preflight looks for both; nothing is ever sent there, where nobody listens."""
    [hook] = made.of("ValidatingWebhookConfiguration")[made.namespace]["webhooks"]
    assert hook["namespaceSelector"] == {"matchLabels": {"only": "there"}}
    assert hook["objectSelector"] == {"matchLabels": {"rehearsal": "never"}}
    assert made.of("Service")["door"]["spec"]["selector"] == {"app": "door"}


def test_twin_can_be_booted(made: Twin, tmp_path: Path) -> None:
    """Every object is taken by an API server, every machine comes up, every pod runs."""
    with cluster_fixture.running(
        made.site, tmp_path, image_check=lambda image: None, progress=lambda text: None
    ) as plane:
        root = f"api/v1/namespaces/{made.namespace}"
        assert plane.api.read(f"{root}/secrets/app")["data"].keys() == {"PASSWORD", "URL", "MECHANISM"}
        assert plane.api.read(f"{root}/resourcequotas/room") is not None
        assert plane.api.read(f"apis/cert-manager.io/v1/clusterissuers/{made.namespace}") is not None
        phases = {pod["status"]["phase"] for pod in plane.api.items("api/v1/pods")}
        assert phases == {"Running"}
        again = config(made.namespace, f"{made.namespace}-empty")
        cluster = Cluster.connect("rehearsal", plane.kubeconfig)
        twice = Twin(cluster_copy.of_cluster(reached(cluster, again), again, HOST), made.namespace)
    assert {location(one) for one in twice.site.objects} == {location(one) for one in made.site.objects}


@pytest.fixture
def api() -> Iterator[ApiDouble]:
    """An API server of one's own, empty."""
    with serve(ApiDouble()) as running:
        yield running


def site_of(api: ApiDouble, folder: Path) -> Site:
    """The twin of what that server has."""
    found = config("staging", "production")
    return cluster_copy.of_cluster(
        reached(Cluster.connect("here", api.kubeconfig(folder)), found), found, HOST
    )


def node(name: str, *, is_ready: bool = True, **spec: Any) -> dict[str, Any]:
    """A machine."""
    conditions = [{"type": "Ready", "status": str(is_ready)}]
    status = {"allocatable": {"cpu": "1"}, "capacity": {"cpu": "1"}, "conditions": conditions}
    return {"metadata": {"name": name}, "spec": spec, "status": status}


def test_machine_that_takes_no_pods_takes_none_in_the_twin(api: ApiDouble, tmp_path: Path) -> None:
    """Cordoned or not ready: controllers would take their taints off again, so it gets one of our own."""
    pressed = {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}
    batch = {"key": "batch", "value": "yes", "effect": "NoSchedule"}
    for one in (
        node("open", taints=[batch, pressed]),
        node("cordoned", unschedulable=True),
        node("gone", is_ready=False),
    ):
        api.put(f"api/v1/nodes/{one['metadata']['name']}", one)
    taints = {one.name: list(one.taints) for one in site_of(api, tmp_path).nodes}
    closed = {"key": "rehearsal/closed", "effect": "NoSchedule"}
    assert taints == {"open": [batch], "cordoned": [closed], "gone": [closed]}


def test_pods_that_take_no_room_are_left_out_and_unready_ones_have_no_labels(
    api: ApiDouble, tmp_path: Path
) -> None:
    """A Service must not find an occupant, which always answers, where the real pod does not."""
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
    found = {
        one["metadata"]["name"]: one["metadata"]["labels"]
        for one in site_of(api, tmp_path).objects
        if one["kind"] == "Pod"
    }
    assert found == {"unready": {}, "ready": {"app": "x"}}


def test_api_that_another_server_answers_is_stood_in_for(api: ApiDouble, tmp_path: Path) -> None:
    """Autoscalers ask for the metrics API; where it is missing it stays missing."""
    assert site_of(api, tmp_path).objects == ()
    served = {"name": "pods", "kind": "PodMetrics", "namespaced": True}
    listed = {"groupVersion": "metrics.k8s.io/v1beta1", "resources": [served]}
    api.objects[METRICS] = listed
    [definition] = site_of(api, tmp_path).objects
    assert definition["metadata"]["name"] == "pods.metrics.k8s.io"
    assert definition["spec"]["scope"] == "Namespaced"
