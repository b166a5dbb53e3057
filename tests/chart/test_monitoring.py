"""What Prometheus finds of a release, and what Grafana gets."""

import json
import re

import pytest
import yaml

from .prometheus_rules import ROOT, stack_values


def test_prometheus_finds_the_rules_and_every_service(render):
    """Each monitor selects an existing Service by its port, and the job is the service's id."""
    rendered = render("production")
    services = {item["metadata"]["name"]: item for item in rendered.of_kind("Service")}
    for item in rendered.of_kind("ServiceMonitor", "PodMonitor", "PrometheusRule"):
        assert item["metadata"]["labels"]["release"] == "monitoring"
    for item in rendered.of_kind("ServiceMonitor"):
        service = services[item["metadata"]["name"]]
        [endpoint] = item["spec"]["endpoints"]
        assert endpoint == {"port": "http", "path": "/metrics", "interval": "30s"}
        assert [port["name"] for port in service["spec"]["ports"]] == ["http"]
        assert item["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert item["spec"]["namespaceSelector"] == {"matchNames": ["production"]}
        assert service["metadata"]["labels"][item["spec"]["jobLabel"]] in item["metadata"]["name"]


def test_prometheus_scrapes_the_sidecars_of_exactly_the_pods_that_have_one(render):
    """Nothing else would: the operator ignores the annotations that Dapr sets."""
    rendered = render("production")
    monitor = rendered.one("PodMonitor")
    [expression] = monitor["spec"]["selector"]["matchExpressions"]
    assert (expression["key"], expression["operator"]) == ("app.kubernetes.io/name", "In")
    with_sidecar = {
        item["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]
        for item in rendered.services()
        if "dapr.io/enabled" in item["spec"]["template"]["metadata"].get("annotations", {})
    }
    assert set(expression["values"]) == with_sidecar
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("dapr-metrics", "/metrics")
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["production"]}


def test_prometheus_counts_objects_of_every_label():
    """A forgotten label `release` must not hide a service."""
    spec = stack_values()["prometheus"]["prometheusSpec"]
    kinds = ("podMonitor", "probe", "rule", "scrapeConfig", "serviceMonitor")
    assert {kind: spec[f"{kind}SelectorNilUsesHelmValues"] for kind in kinds} == dict.fromkeys(kinds, False)


def test_prometheus_scrapes_dapr_and_cert_manager():
    """The rules on certificates and injections have their metrics from these."""
    monitors = {item["name"]: item for item in stack_values()["prometheus"]["additionalPodMonitors"]}
    assert {name: item["namespaceSelector"]["matchNames"] for name, item in monitors.items()} == {
        "dapr-control-plane": ["dapr-system"],
        "cert-manager": ["cert-manager"],
    }
    [endpoint] = monitors["cert-manager"]["podMetricsEndpoints"]
    assert endpoint["honorLabels"] is True  # the namespace of a certificate is not that of cert-manager


def test_rules_that_would_always_fire_are_off():
    """Both environments request more than the two rules on overcommitment allow; we have a watchdog."""
    disabled = stack_values()["defaultRules"]["disabled"]
    assert {name for name, is_off in disabled.items() if is_off} >= {
        "KubeCPUOvercommit",
        "KubeMemoryOvercommit",
        "Watchdog",
    }


def test_dashboards_reach_grafana_from_one_environment_only(render):
    """Grafana's sidecar reads every namespace, and refuses a second dashboard of the same id."""
    found = {
        item["metadata"]["name"]: item
        for item in render("production").of_kind("ConfigMap")
        if item["metadata"]["labels"].get("grafana_dashboard") == "1"
    }
    files = sorted((ROOT / "chart/files/dashboards").glob("*.json"))
    assert sorted(found) == [f"todo-app-dashboard-{path.stem}" for path in files]
    folder = stack_values()["grafana"]["sidecar"]["dashboards"]["folderAnnotation"]
    for path in files:
        item = found[f"todo-app-dashboard-{path.stem}"]
        [text] = item["data"].values()
        assert json.loads(text) == json.loads(path.read_text(encoding="utf-8"))
        assert item["metadata"]["annotations"][folder] == "Todo"
    assert [item for item in render("staging").objects if "dashboard" in item["metadata"]["name"]] == []


@pytest.mark.parametrize("part", ["grafana", "grafana.sidecar", "kube-state-metrics", "prometheusOperator"])
def test_every_part_of_the_stack_requests_what_it_needs(part):
    """What requests nothing is killed first, and the capacity check does not count it."""
    found = stack_values()
    for key in part.split("."):
        found = found[key]
    assert set(found["resources"]["requests"]) == {"cpu", "memory"}


def test_grafana_keeps_its_data():
    """Users and annotations survive a new pod; a volume that mounts once needs the old pod to end first."""
    grafana = stack_values()["grafana"]
    assert grafana["persistence"]["enabled"] is True
    assert grafana["deploymentStrategy"] == {"type": "Recreate"}


def test_request_id_of_a_log_line_is_kept_beside_it_and_is_no_label():
    """Each label value is a stream of its own in Loki; a request id must not be one."""
    file = ROOT / "k8s/cluster-bootstrap/values/alloy.yaml"
    text = yaml.safe_load(file.read_text(encoding="utf-8"))["alloy"]["configMap"]["content"]
    stages = dict(re.findall(r"stage\.(\w+) \{\s+\w+ = \{([^}]*)\}", text))
    assert "request_id" in stages["json"]
    assert "request_id" in stages["structured_metadata"]
    assert "request_id" not in stages["labels"]
    assert "forward_to = [loki.process.json.receiver]" in text
