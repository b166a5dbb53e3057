"""The simulated autoscaler of node pools: when it adds a node, and what it says of pods."""

from collections.abc import Iterator

import pytest

from todo_embedded.controlplane.api_client import ApiClient
from todo_embedded.controlplane.object_paths import KubeObject, location
from todo_release.adapters.kubernetes.api_resources import EVENTS, NODES, PODS
from todo_release.config.preflight import NodePools
from todo_release.rehearsal.node_autoscaler import NodeAutoscaler

from .shared_control_plane import SharedControlPlane
from .waiting import wait_until

PODS_PATH, EVENTS_PATH = PODS.path("default"), EVENTS.path("default")


def pending_pod(cpu: str) -> KubeObject:
    """Returns a pod that no node of the plane can take beside the others."""
    container = {"name": "web", "image": "web", "resources": {"requests": {"cpu": cpu}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "hungry-", "namespace": "default"},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }


@pytest.fixture
def api(shared: SharedControlPlane) -> Iterator[ApiClient]:
    """Returns the API of a plane with one node of a pool, and removes what a test adds."""
    api = shared.plane.api
    nodes = {node["metadata"]["name"]: node for node in api.items(NODES.path())}
    first = location({"apiVersion": "v1", "kind": "Node", **next(iter(nodes.values()))})
    api.merge(first, {"metadata": {"labels": {"pool": "a"}}})
    yield api
    api.merge(first, {"metadata": {"labels": {"pool": None}}})
    for resource, path, kept in ((PODS, PODS_PATH, {}), (NODES, NODES.path(), nodes)):
        for item in api.items(path):
            if item["metadata"]["name"] not in kept:
                kind = "Pod" if resource is PODS else "Node"
                api.delete(location({"apiVersion": "v1", "kind": kind, **item}))


def reasons(api: ApiClient, pod: KubeObject) -> set[str]:
    """Returns the reasons of the autoscaler's events about a pod."""
    return {
        event["reason"]
        for event in api.items(EVENTS_PATH)
        if event["involvedObject"].get("uid") == pod["metadata"]["uid"] and "ScaleUp" in event["reason"]
    }


def fill_all_nodes(api: ApiClient) -> None:
    """Creates pods that leave no room for another one of their size."""
    for _ in api.items(NODES.path()):
        api.create(pending_pod("1000m"))


def test_node_is_added_for_a_pod_that_fits_on_no_node(api: ApiClient) -> None:
    """The pod then runs on it, and its event says why."""
    before = len(api.items(NODES.path()))
    with NodeAutoscaler(api, NodePools(label="pool", max_nodes=2)):
        fill_all_nodes(api)
        pod = api.create(pending_pod("1000m"))
        wait_until(lambda: api.read(f"{PODS_PATH}/{pod['metadata']['name']}")["spec"].get("nodeName"))
    assert len(api.items(NODES.path())) == before + 1
    assert reasons(api, pod) <= {"TriggeredScaleUp"}


@pytest.mark.parametrize(
    ("cpu", "max_nodes"),
    [("1500m", 2), ("1000m", 1)],
    ids=["too large beside the DaemonSet", "at its maximum"],
)
def test_no_node_is_added_that_does_not_help_or_that_may_not_be(
    api: ApiClient, cpu: str, max_nodes: int
) -> None:
    """Its event tells the engine that waiting does not help."""
    before = len(api.items(NODES.path()))
    with NodeAutoscaler(api, NodePools(label="pool", max_nodes=max_nodes)):
        fill_all_nodes(api)
        pod = api.create(pending_pod(cpu))
        wait_until(lambda: reasons(api, pod))
    assert reasons(api, pod) == {"NotTriggerScaleUp"}
    assert len(api.items(NODES.path())) == before
