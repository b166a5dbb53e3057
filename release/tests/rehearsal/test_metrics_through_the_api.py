"""A real API server passes requests for metrics on to pods and Services, as a watch sends them.

The kubelets are simulated, so a server of the test stands in for the pod, at an address of this machine.
"""

import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from todo_embedded.controlplane.control_plane import ControlPlane
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.config.health_watch import HealthWatchSettings, PrometheusSettings
from todo_release.environments.health.request_counts import RequestCounts
from todo_release.environments.health.sources import PodMetrics, connect_source

from ..doubles.pod_server import address, serve
from .shared_control_plane import SharedControlPlane

NAMESPACE = "metrics"


def answer(path: str) -> tuple[int, str, str]:
    """Shows metrics, and answers every query with a series of the pod `web`."""
    parts = urlsplit(path)
    if parts.path == "/api/v1/query":
        is_for_pod = 'pod=~"web"' in parse_qs(parts.query)["query"][0]
        labels = {"__name__": "http_requests_total", "pod": "web", "status": "503"}
        series = [{"metric": labels, "value": [0, "2"]}] if is_for_pod else []
        return 200, "application/json", json.dumps({"status": "success", "data": {"result": series}})
    if parts.path == "/metrics":
        registry = CollectorRegistry()
        Counter("http_requests", "Requests.", ["status"], registry=registry).labels("200").inc(7)
        return 200, "text/plain; version=0.0.4", generate_latest(registry).decode()
    return 404, "text/plain", "not found"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of the server."""
    with serve(answer) as number:
        yield number


@pytest.fixture(scope="module")
def plane(shared: SharedControlPlane, port: int) -> ControlPlane:
    """Returns the control plane, with a pod and a Service that lead to the server."""
    api, target = shared.plane.api, address()
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    api.create(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "web", "namespace": NAMESPACE},
        }
    )
    container = {"name": "web", "image": "web", "ports": [{"name": "http", "containerPort": port}]}
    # No kubelet has a node of this name, so the pod keeps the status that it gets here.
    spec = {"nodeName": "elsewhere", "serviceAccountName": "web", "containers": [container]}
    metadata = {"name": "web", "namespace": NAMESPACE}
    api.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    status = {"phase": "Running", "podIP": target, "podIPs": [{"ip": target}]}
    api.merge(f"api/v1/namespaces/{NAMESPACE}/pods/web/status", {"status": status})
    ports = [{"name": "web", "port": 9090, "targetPort": port}]
    api.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}})
    backend = {"ip": target, "targetRef": {"kind": "Pod", **metadata}}
    subsets = [{"addresses": [backend], "ports": [{"name": "web", "port": port}]}]
    endpoints = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets}
    Cluster.connect(None, shared.plane.kubeconfig).create(
        f"api/v1/namespaces/{NAMESPACE}/endpoints", endpoints
    )
    return shared.plane


def test_pod_is_read_through_the_api_server(plane: ControlPlane) -> None:
    """The path names the pod and the number of its port; the page arrives as the pod gave it."""
    cluster = Cluster.connect(None, plane.kubeconfig)
    (pod,) = cluster.snapshot(NAMESPACE, ()).pods
    assert pod.created_at is not None
    counts = PodMetrics(cluster, HealthWatchSettings()).read([pod])
    assert counts.problems == ()
    assert counts.by_uid == {pod.uid: RequestCounts(answered=7)}


def test_page_that_a_pod_does_not_have_is_a_problem(plane: ControlPlane) -> None:
    """The pod's own answer is part of it."""
    cluster = Cluster.connect(None, plane.kubeconfig)
    settings = HealthWatchSettings.model_validate({"pods": {"path": "/other"}})
    (problem,) = PodMetrics(cluster, settings).read(cluster.snapshot(NAMESPACE, ()).pods).problems
    assert "(404)" in problem


def test_prometheus_is_read_behind_its_service(plane: ControlPlane) -> None:
    """The query arrives whole, with braces, quotes and bars."""
    cluster = Cluster.connect(None, plane.kubeconfig)
    settings = HealthWatchSettings(
        source="prometheus", prometheus=PrometheusSettings(service=f"{NAMESPACE}/web:9090")
    )
    (pod,) = cluster.snapshot(NAMESPACE, ()).pods
    counts = connect_source(cluster, settings).read([pod])
    assert counts.problems == ()
    assert counts.by_uid == {pod.uid: RequestCounts(answered=2, failed=2)}
