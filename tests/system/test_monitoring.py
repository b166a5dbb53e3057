"""Monitoring on a real cluster: what is scraped, what the dashboards show, and that alerts reach people.

The cluster has the Prometheus operator, Prometheus, Alertmanager and object metrics; node-exporter runs here.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from kubernetes import client

from todo_dashboards.queries import mark_expressions, metric_names, panel_expressions
from todo_embedded.prometheus import node_exporter
from todo_embedded.prometheus_api import PrometheusApi
from todo_synthetic_user.journey import JourneyError, run_journey
from todo_synthetic_user.origin import Origin

from . import running_cluster
from .conftest import HOSTS, ROOT, RepositoryClone

STACK = yaml.safe_load(
    (ROOT / "k8s/cluster-bootstrap/values/kube-prometheus-stack.yaml").read_text(encoding="utf-8")
)
DASHBOARDS = sorted((ROOT / "chart/files/dashboards").glob("*.json"))
# Twice the interval between two scrapes of a service.
VARIABLES = {"$__rate_interval": "2m", "$namespace": "production", "$service": ".+"}
TRIAL = "monitoring-trial"
NODE_EXPORTER_PORT = 9100
DATA_TIMEOUT_SECONDS = 300
ALERT_TIMEOUT_SECONDS = 420  # the alert waits two minutes; the short window is five
# Metrics of rules that a healthy cluster of the tests does not have, and why.
ABSENT_WHEN_HEALTHY = {
    "certmanager_certificate_expiration_timestamp_seconds",  # cert-manager does not run here
    "certmanager_certificate_ready_status",
    "dapr_injector_sidecar_injection_failed_total",  # begins with the first failure
}


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """Runs kubectl and returns its output; fails the test with its error."""
    result = subprocess.run(["kubectl", *arguments], input=stdin, check=False, capture_output=True, text=True)
    if result.returncode:
        pytest.fail(f"kubectl {' '.join(arguments)}: {result.stderr}")
    return result.stdout


def wait_until(what: str, is_true: Callable[[], bool], *, timeout_seconds: float) -> float:
    """Waits until a condition holds, and returns the seconds that it took."""
    started = time.monotonic()
    while not is_true():
        if time.monotonic() - started > timeout_seconds:
            pytest.fail(f"{what}: not within {timeout_seconds} s")
        time.sleep(2)
    return time.monotonic() - started


@pytest.fixture(scope="module")
def monitored(cluster: running_cluster.RunningCluster, sidecars: None) -> running_cluster.RunningCluster:
    """The cluster with monitoring, and the rules and monitors of the cluster that the bootstrap installs."""
    labels = {"release": "monitoring"}
    for name, rules in STACK["additionalPrometheusRulesMap"].items():
        apply("PrometheusRule", f"todo-{name}", {"groups": rules["groups"]}, labels)
    for monitor in STACK["prometheus"]["additionalPodMonitors"]:
        spec = {key: value for key, value in monitor.items() if key != "name"}
        apply("PodMonitor", monitor["name"], spec, labels)
    return cluster


def apply(kind: str, name: str, spec: dict[str, Any], labels: dict[str, str]) -> None:
    """Applies an object of the Prometheus operator in the namespace `monitoring`."""
    version = "v1alpha1" if kind == "ScrapeConfig" else "v1"
    document = {
        "apiVersion": f"monitoring.coreos.com/{version}",
        "kind": kind,
        "metadata": {"name": name, "namespace": "monitoring", "labels": labels},
        "spec": spec,
    }
    kubectl("apply", "--filename", "-", stdin=json.dumps(document))


@pytest.fixture(scope="module")
def prometheus(monitored: running_cluster.RunningCluster) -> PrometheusApi:
    """The API of the cluster's Prometheus."""
    return PrometheusApi(monitored.env["PROMETHEUS_URL"])


@pytest.fixture(scope="module")
def node_metrics(monitored: running_cluster.RunningCluster) -> Iterator[None]:
    """A node exporter on this machine, which is the cluster's node, scraped by Prometheus."""
    address = f"{running_cluster.NODE_ADDRESS}:{NODE_EXPORTER_PORT}"
    process = subprocess.Popen(
        [node_exporter(), f"--web.listen-address={address}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        scrape = {"staticConfigs": [{"targets": [address], "labels": {"job": "node-exporter"}}]}
        apply("ScrapeConfig", "node-exporter", scrape, {"release": "monitoring"})
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def application(
    monitored: running_cluster.RunningCluster,
    clone: RepositoryClone,
    first_release: str,
    node_metrics: None,
) -> Origin:
    """The application in production."""
    overlay = yaml.safe_load(clone.overlay.read_text(encoding="utf-8"))
    ca_file = overlay["environments"]["production"]["smoke"]["ca_file"]
    host, _, port = running_cluster.HTTPS_ADDRESS.partition(":")
    return Origin(f"https://{HOSTS['production']}", (host, int(port)), Path(ca_file))


def use(origin: Origin) -> None:
    """Uses the application once, as a person would; a refusal because of too many sign-ins is none."""
    try:
        run_journey(origin)
    except JourneyError as error:
        if "429" not in error.seen:
            raise


def received(file: Path, name: str, status: str, **labels: str) -> list[dict[str, Any]]:
    """Returns the alerts of a name and status that reached the receiver."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    wanted = {"alertname": name, **labels}
    return [
        alert
        for line in lines
        for alert in json.loads(line).get("alerts", ())
        if alert["status"] == status and wanted.items() <= alert["labels"].items()
    ]


def test_watchdog_reaches_the_receiver(
    monitored: running_cluster.RunningCluster, record_property: Callable[[str, object], None]
) -> None:
    """The chain from rule to receiver works."""
    file = Path(monitored.env["ALERTS_FILE"])
    seconds = wait_until(
        "the watchdog", lambda: bool(received(file, "Watchdog", "firing")), timeout_seconds=120
    )
    record_property("seconds to the receiver", round(seconds))


def test_prometheus_scrapes_every_service_and_sidecar(application: Origin, prometheus: PrometheusApi) -> None:
    """Each service of each environment, and the sidecars of the four that have one, are up."""
    wanted = {
        (environment, job)
        for environment in HOSTS
        for job in ("frontend", "backend", "mcp", "notification", "sse-gateway", "daprd")
    }

    def found() -> set[tuple[str, str]]:
        series = prometheus.query('up{namespace=~"staging|production"} == 1')
        return {(one["metric"]["namespace"], one["metric"]["job"]) for one in series}

    wait_until("all targets", lambda: found() == wanted, timeout_seconds=120)
    sidecars = prometheus.query('count by (pod) (up{namespace="production", job="daprd"} == 1)')
    expected = prometheus.query('count(kube_pod_container_info{namespace="production", container="daprd"})')
    assert len(sidecars) == int(expected[0]["value"][1])


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_every_query_of_a_dashboard_returns_data(
    application: Origin,
    prometheus: PrometheusApi,
    file: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """While the application is used, no panel is empty."""
    expressions = panel_expressions(json.loads(file.read_text(encoding="utf-8")), VARIABLES)
    assert expressions
    empty = prometheus.without_data(
        expressions, timeout_seconds=DATA_TIMEOUT_SECONDS, meanwhile=lambda: use(application)
    )
    assert empty == []
    record_property("queries with data", len(expressions))


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_release_is_marked(application: Origin, prometheus: PrometheusApi, file: Path) -> None:
    """The first minute of an image is a mark on every dashboard, from Prometheus alone."""
    for expression in mark_expressions(json.loads(file.read_text(encoding="utf-8")), VARIABLES):
        assert prometheus.query_range(expression, minutes=120, step_seconds=60)


def test_every_rule_is_evaluated_and_its_metrics_exist(
    application: Origin, prometheus: PrometheusApi
) -> None:
    """Prometheus evaluates each of our rules without an error, on metrics that something serves."""
    found = prometheus.rules()
    ours = [
        rule for rule in found if "runbook_url" in rule.get("annotations", {}) or rule["name"][:4] == "job:"
    ]
    assert {rule["name"] for rule in ours} >= {"HighErrorRate", "Watchdog", "job:http_slow:ratio1h"}
    assert [rule["name"] for rule in ours if rule["health"] != "ok"] == []
    used = metric_names(rule["query"] for rule in ours)
    assert used - prometheus.metric_names() - ABSENT_WHEN_HEALTHY == set()


@pytest.fixture
def trial(monitored: running_cluster.RunningCluster) -> Iterator[str]:
    """A namespace with a service that fails on request, the chart's rules for it, and its monitor."""
    kubectl("create", "namespace", TRIAL)
    try:
        kubectl(
            "apply", "--namespace", TRIAL, "--filename",
            str(Path(__file__).parent / "monitoring/failing-service.yaml"),
        )  # fmt: skip
        templates = ("monitoring/rules.yaml", "monitoring/servicemonitor-backend.yaml")
        rendered = subprocess.run(
            [
                "helm", "template", "todo-app", str(ROOT / "chart"), "--namespace", TRIAL,
                "--set", "monitoring.enabled=true",
                *(argument for name in templates for argument in ("--show-only", f"templates/{name}")),
            ],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        kubectl("apply", "--namespace", TRIAL, "--filename", "-", stdin=rendered)
        kubectl("rollout", "status", "deployment/todo-app-backend", "--namespace", TRIAL, "--timeout=120s")
        yield kubectl(
            "get", "service", "todo-app-backend", "--namespace", TRIAL, "--output=jsonpath={.spec.clusterIP}"
        )
    finally:
        kubectl("delete", "namespace", TRIAL, "--wait", "--timeout=120s")


def test_failing_service_pages_and_the_page_ends(
    monitored: running_cluster.RunningCluster,
    prometheus: PrometheusApi,
    trial: str,
    record_property: Callable[[str, object], None],
) -> None:
    """Errors reach the receiver as HighErrorRate within minutes, with the runbook; healed, it says so."""
    file = Path(monitored.env["ALERTS_FILE"])
    labels = {"namespace": TRIAL, "job": "backend"}
    scraped = f'up{{namespace="{TRIAL}", job="backend"}} == 1'
    wait_until("a first scrape", lambda: bool(prometheus.query(scraped)), timeout_seconds=120)
    httpx2.get(f"http://{trial}:8000/fail")
    seconds = wait_until(
        "the page",
        lambda: bool(received(file, "HighErrorRate", "firing", **labels)),
        timeout_seconds=ALERT_TIMEOUT_SECONDS,
    )
    record_property("seconds to the page", round(seconds))
    [page, *_] = received(file, "HighErrorRate", "firing", **labels)
    assert page["labels"]["severity"] == "critical"
    assert page["annotations"]["runbook_url"].endswith("/alerts.md#higherrorrate")
    httpx2.get(f"http://{trial}:8000/heal")
    seconds = wait_until(
        "the end of the page",
        lambda: bool(received(file, "HighErrorRate", "resolved", **labels)),
        timeout_seconds=ALERT_TIMEOUT_SECONDS,
    )
    record_property("seconds to its end", round(seconds))


@pytest.fixture
def own_alertmanager(monitored: running_cluster.RunningCluster, core: client.CoreV1Api) -> Iterator[str]:
    """An Alertmanager with the configuration of our values, whose receivers are the one of this machine."""
    existing = json.loads(
        kubectl("get", "alertmanagers.monitoring.coreos.com", "--namespace=monitoring", "--output=json")
    )["items"][0]["spec"]
    spec = {key: existing[key] for key in ("image", "version", "securityContext", "resources")}
    config = yaml.safe_dump(STACK["alertmanager"]["config"])
    keys = ("heartbeat", "critical", "warning", "staging")
    secrets = {
        "alertmanager-todo": {"alertmanager.yaml": config},
        "alertmanager-receivers": {f"{key}-url": running_cluster.ALERTS_RECEIVER for key in keys},
    }
    for name, data in secrets.items():
        metadata = client.V1ObjectMeta(name=name)
        core.create_namespaced_secret("monitoring", client.V1Secret(metadata=metadata, string_data=data))
    try:
        spec |= {"replicas": 1, "secrets": STACK["alertmanager"]["alertmanagerSpec"]["secrets"]}
        apply("Alertmanager", "todo", spec, {})
        pod = ("pod/alertmanager-todo-0", "--namespace=monitoring")
        wait_until(
            "the pod of Alertmanager",
            lambda: "alertmanager-todo-0" in kubectl("get", "pods", "--namespace=monitoring"),
            timeout_seconds=60,
        )
        kubectl("wait", *pod, "--for=condition=Ready", "--timeout=120s")
        address = kubectl("get", *pod, "--output=jsonpath={.status.podIP}")
        yield f"http://{address}:9093"
    finally:
        kubectl("delete", "alertmanagers.monitoring.coreos.com/todo", "--namespace=monitoring", "--wait")
        for name in secrets:
            core.delete_namespaced_secret(name, "monitoring")


def test_routes_send_the_heartbeat_and_the_cause_without_its_consequence(
    monitored: running_cluster.RunningCluster, own_alertmanager: str
) -> None:
    """The watchdog goes to the heartbeat; a service that is down pages, its error rate does not."""
    mark = f"trial-{time.time_ns()}"
    labels = {"namespace": "production", "job": mark, "severity": "critical"}
    alerts = [
        {"labels": {"alertname": name, **labels}, "annotations": {"summary": f"{name} of {mark}"}}
        for name in ("ServiceDown", "HighErrorRate")
    ]
    watchdog = {"labels": {"alertname": "Watchdog", "severity": "none", "mark": mark}}
    posted = httpx2.post(f"{own_alertmanager}/api/v2/alerts", json=[watchdog, *alerts])
    posted.raise_for_status()
    file = Path(monitored.env["ALERTS_FILE"])

    def sent(text: str) -> list[str]:
        return [line for line in file.read_text(encoding="utf-8").splitlines() if text in line]

    wait_until(
        "the heartbeat", lambda: bool(received(file, "Watchdog", "firing", mark=mark)), timeout_seconds=60
    )
    wait_until("the page", lambda: bool(sent(f"ServiceDown of {mark}")), timeout_seconds=60)
    [heartbeat, *_] = [json.loads(line) for line in sent(mark) if '"receiver":"heartbeat"' in line]
    assert [alert["labels"]["alertname"] for alert in heartbeat["alerts"]] == ["Watchdog"]
    assert sent(f"HighErrorRate of {mark}") == []
