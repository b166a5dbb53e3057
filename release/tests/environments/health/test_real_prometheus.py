"""A real Prometheus answers as the watch expects: raw counters, what was before, and alerts."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from todo_embedded.prometheus import running_prometheus
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.metrics import MetricsUnavailableError, Prometheus, read_url
from todo_release.config.health_watch import HealthWatchSettings, PrometheusSettings, WatchedLatency
from todo_release.environments.health.request_counts import RequestCounts
from todo_release.environments.health.sources import PrometheusMetrics, connect_prometheus

from ...doubles.clients import OLD_POD
from ...doubles.kubernetes_api import ApiDouble
from ...doubles.pod_server import serve

TIMEOUT_SECONDS = 30
NEW = replace(OLD_POD, name="web-2.a", uid="2", namespace="staging")
ALERT = {
    "alert": "Broken",
    "expr": 'up{pod="web-2.a"} == 1',
    "labels": {"severity": "critical"},
}


@dataclass
class Application:
    """A Prometheus at `url` that scrapes one pod every second, and the counter of that pod."""

    url: str
    requests: Counter

    def metrics(self) -> PrometheusMetrics:
        """Returns the source of a watch."""
        settings = HealthWatchSettings(
            source="prometheus",
            prometheus=PrometheusSettings(url=self.url),
            latency=WatchedLatency(seconds=1),
        )
        return PrometheusMetrics(Prometheus(read_url(self.url)), settings)


@pytest.fixture(scope="module")
def application() -> Iterator[Application]:
    """Runs Prometheus and a pod that answered 7 requests, 2 with 503, and one of them slowly."""
    registry = CollectorRegistry()
    requests = Counter("http_requests", "Requests.", ["status"], registry=registry)
    durations = Histogram("http_request_duration_seconds", "Durations.", buckets=(0.1, 1), registry=registry)
    requests.labels("200").inc(5)
    requests.labels("503").inc(2)
    for seconds in (0.01, 3):
        durations.observe(seconds)
    kind = "text/plain; version=0.0.4"
    with serve(lambda path: (200, kind, generate_latest(registry).decode())) as port:
        target = {"targets": [f"127.0.0.1:{port}"], "labels": {"namespace": "staging", "pod": "web-2.a"}}
        scrape = {"job_name": "web", "static_configs": [target]}
        with running_prometheus([scrape], rules=[{"name": "watch", "rules": [ALERT]}]) as url:
            yield Application(url, requests)


def soon(condition: Callable[[], bool]) -> bool:
    """Returns whether a condition becomes true in time."""
    deadline, pause = time.monotonic() + TIMEOUT_SECONDS, threading.Event()
    while not condition() and time.monotonic() < deadline:
        pause.wait(0.2)
    return condition()


def test_raw_counters_of_a_pod_are_read(application: Application) -> None:
    """The dot in the pod's name is a dot, and other pods have no counters."""
    other = replace(NEW, name="web-2-a", uid="3")
    source, wanted = application.metrics(), RequestCounts(answered=7, failed=2, timed=2, slow=1)
    assert soon(lambda: source.read([NEW, other]).by_uid == {"2": wanted})


def test_answers_before_an_instant_are_counted(application: Application) -> None:
    """Nothing is known of an hour ago; what was added since is counted, as far as it was scraped."""
    source = application.metrics()
    assert soon(lambda: bool(source.read([NEW]).by_uid))
    application.requests.labels("503").inc(30)
    assert soon(lambda: source.read_before(["staging"], datetime.now(UTC), 1).failed > 20)
    assert source.read_before(["staging"], datetime.now(UTC) - timedelta(hours=1), 1) == RequestCounts()


def test_firing_alert_has_its_labels_and_an_instant(application: Application) -> None:
    """As a watch compares them with those of release.yaml and with the deployment."""
    prometheus = Prometheus(read_url(application.url))
    assert soon(lambda: [alert.name for alert in prometheus.firing_alerts()] == ["Broken"])
    (alert,) = prometheus.firing_alerts()
    assert {"namespace": "staging", "severity": "critical"}.items() <= alert.labels.items()
    assert abs(datetime.now(UTC) - alert.began_at) < timedelta(minutes=5)


def test_query_that_prometheus_refuses_is_a_problem(application: Application) -> None:
    """The address is named."""
    with pytest.raises(MetricsUnavailableError, match=f"{application.url} answers 400"):
        Prometheus(read_url(application.url)).samples("sum(")


def test_watch_connects_as_release_yaml_says(
    application: Application, cluster: Cluster, api: ApiDouble
) -> None:
    """A URL is asked directly, without the Kubernetes API."""
    prometheus = connect_prometheus(cluster, PrometheusSettings(url=application.url))
    assert prometheus.samples("vector(3)", name="three")[0].value == 3
    assert api.requests == []
