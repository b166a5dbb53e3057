"""Counters are read through the Kubernetes API: from pods, and from a Prometheus behind a Service."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.metrics import MetricsUnavailableError, Prometheus, read_url
from todo_release.config.health_watch import HealthWatchSettings, PrometheusSettings, WatchedLatency
from todo_release.environments.health.request_counts import RequestCounts
from todo_release.environments.health.sources import PodMetrics, PrometheusMetrics, connect_source

from ...doubles.clients import OLD_POD
from ...doubles.kubernetes_api import ApiDouble

WEB = replace(OLD_POD, name="web-a", uid="1", namespace="staging", ports={"http": 8080})
API = replace(WEB, name="api-b", uid="2", ports={"8081": 8081})
PODS = "api/v1/namespaces/staging/pods"
SERVICE = "api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1"
IN_PROMETHEUS = HealthWatchSettings(
    source="prometheus",
    prometheus=PrometheusSettings(service="monitoring/prometheus:9090"),
    latency=WatchedLatency(seconds=0.5),
)
AT = datetime(2026, 11, 28, 12, tzinfo=UTC)


def page(answered: int, failed: int) -> str:
    """Returns the metrics of a program."""
    registry = CollectorRegistry()
    counter = Counter("http_requests", "Requests.", ["status"], registry=registry)
    counter.labels("200").inc(answered - failed)
    counter.labels("503").inc(failed)
    return generate_latest(registry).decode()


def vector(*series: tuple[dict[str, str], float]) -> str:
    """Returns Prometheus' answer to a query, as its documentation shows it."""
    result = [{"metric": labels, "value": [1764331200.1, str(value)]} for labels, value in series]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})


def test_pods_are_read_at_their_port_through_the_api_server(cluster: Cluster, api: ApiDouble) -> None:
    """Pods are asked by name and port; those without the port are left out."""
    api.behind[f"{PODS}/web-a:8080/proxy/metrics"] = page(10, 3)
    counts = PodMetrics(cluster, HealthWatchSettings()).read([WEB, API])
    assert counts.by_uid == {"1": RequestCounts(answered=10, failed=3)}
    assert counts.problems == ()


def test_pod_that_cannot_be_reached_does_not_hide_the_others(cluster: Cluster, api: ApiDouble) -> None:
    """Its problem is said, with what the API server answers."""
    api.behind[f"{PODS}/web-a:8080/proxy/metrics"] = page(10, 3)
    away = replace(WEB, name="web-c", uid="3")
    counts = PodMetrics(cluster, HealthWatchSettings()).read([WEB, away])
    assert set(counts.by_uid) == {"1"}
    (problem,) = counts.problems
    assert "web-c:8080/proxy/metrics (503): no endpoints" in problem


def test_right_that_is_missing_is_named(cluster: Cluster, api: ApiDouble) -> None:
    """Without `get pods/proxy` the API server refuses, and the problem says so."""
    api.refused[f"{PODS}/web-a:8080/proxy/metrics"] = 403
    counts = PodMetrics(cluster, HealthWatchSettings()).read([WEB])
    assert "(403): not today" in counts.problems[0]


def test_prometheus_is_read_behind_its_service(cluster: Cluster, api: ApiDouble) -> None:
    """One query reads all counters of the pods; their pods are told by label."""
    names = "http_requests_total|http_request_duration_seconds_bucket|http_request_duration_seconds_count"
    pod = {"namespace": "staging", "pod": "web-a"}
    query = f'query={{__name__=~"{names}",namespace="staging",pod=~"web-a|api-b"}}'
    duration = "http_request_duration_seconds"
    api.behind[f"{SERVICE}/query?{query}"] = vector(
        ({**pod, "__name__": "http_requests_total", "status": "2xx"}, 7),
        ({**pod, "__name__": "http_requests_total", "status": "5xx"}, 1),
        ({**pod, "__name__": f"{duration}_bucket", "le": "0.5"}, 6),
        ({**pod, "__name__": f"{duration}_bucket", "le": "+Inf"}, 8),
        ({**pod, "__name__": f"{duration}_count"}, 8),
    )
    counts = connect_source(cluster, IN_PROMETHEUS).read([WEB, API])
    assert counts.by_uid == {"1": RequestCounts(answered=8, failed=1, timed=8, slow=2)}


def test_prometheus_knows_the_version_before(cluster: Cluster, api: ApiDouble) -> None:
    """What pods that are gone have answered in the minutes before the deployment is asked for that time."""
    settings = IN_PROMETHEUS.model_copy(update={"latency": None})
    query = 'query=increase(http_requests_total{namespace="staging"}[300s])&time=2026-11-28T12:00:00+00:00'
    api.behind[f"{SERVICE}/query?{query}"] = vector(({"status": "5xx", "pod": "gone"}, 12.5))
    source = connect_source(cluster, settings)
    assert isinstance(source, PrometheusMetrics)
    assert source.read_before(["staging"], AT, 5) == RequestCounts(answered=12.5, failed=12.5)
    assert source.read_before(["other"], AT, 5) == RequestCounts()


def test_prometheus_that_is_away_is_a_problem(cluster: Cluster) -> None:
    """The API server cannot reach it."""
    (problem,) = connect_source(cluster, IN_PROMETHEUS).read([WEB]).problems
    assert "(503): no endpoints" in problem


def test_firing_alerts_have_their_labels_and_beginning() -> None:
    """Pending alerts are left out; instants have the nine digits that Go writes."""
    answer: dict[str, Any] = {
        "status": "success",
        "data": {
            "alerts": [
                {
                    "state": state,
                    "activeAt": "2026-11-28T12:00:01.123456789Z",
                    "labels": {"alertname": state, "namespace": "staging"},
                }
                for state in ("firing", "pending")
            ]
        },
    }
    (alert,) = Prometheus(lambda path, query: answer).firing_alerts()
    assert (alert.name, alert.labels["namespace"]) == ("firing", "staging")
    assert alert.began_at == datetime(2026, 11, 28, 12, 0, 1, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "error", "error": "bad query"},
        [],
        {"status": "success"},
        {"status": "success", "data": 1},
        {"status": "success", "data": {"result": [{"metric": [], "value": [1, "1"]}]}},
        {"status": "success", "data": {"alerts": [{"state": "firing", "labels": [], "activeAt": "now"}]}},
        {"status": "success", "data": {"alerts": [{"state": "firing", "labels": {}, "activeAt": 1}]}},
        {
            "status": "success",
            "data": {"alerts": [{"state": "firing", "labels": {}, "activeAt": "2026-11-28T12:00:00"}]},
        },
    ],
)
def test_unexpected_answers_of_prometheus_are_named(answer: Any) -> None:
    """Whatever stands behind the address, a watch goes on without it."""
    prometheus = Prometheus(lambda path, query: answer)
    with pytest.raises(MetricsUnavailableError):
        prometheus.samples("up")
    with pytest.raises(MetricsUnavailableError):
        prometheus.firing_alerts()


@pytest.fixture
def web_server() -> Iterator[str]:
    """Serves `/api/v1/query` with an empty vector, and everything else with 404; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_known = self.path == "/base/api/v1/query?query=up"
            body = vector().encode()
            self.send_response(200 if is_known else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Drops the line."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/base"
        server.shutdown()
        thread.join()


def test_prometheus_at_a_url_is_asked_there(web_server: str) -> None:
    """The path of the URL stays; another status and a closed port are problems."""
    prometheus = Prometheus(read_url(web_server))
    assert prometheus.samples("up") == []
    with pytest.raises(MetricsUnavailableError, match="answers 404"):
        prometheus.firing_alerts()
    with pytest.raises(MetricsUnavailableError, match="does not answer"):
        Prometheus(read_url("http://127.0.0.1:1")).samples("up")
