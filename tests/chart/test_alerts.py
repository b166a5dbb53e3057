"""Prometheus' configuration: the monitored services, and alert rules tested with promtool."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "chart" / "files" / "alerts.yaml"
CASES = Path(__file__).with_name("alerts.promtool.yaml")


def test_rules_watch_the_namespace_of_their_release(render):
    """The rules have no placeholder left, and each environment alerts only about itself."""
    groups = render("production").one("PrometheusRule")["spec"]["groups"]
    expressions = [rule["expr"] for group in groups for rule in group["rules"]]
    assert len(expressions) == 15
    assert [text for text in expressions if 'namespace="production"' not in text] == []
    assert "NAMESPACE" not in yaml.safe_dump(groups)


def test_prometheus_finds_the_rules_and_every_service(render):
    """The rules have the label that the operator selects, and each monitor selects an existing Service."""
    rendered = render("production")
    services = {item["metadata"]["name"]: item for item in rendered.of_kind("Service")}
    for item in rendered.of_kind("ServiceMonitor", "PrometheusRule"):
        assert item["metadata"]["labels"]["release"] == "monitoring"
    for item in rendered.of_kind("ServiceMonitor"):
        service = services[item["metadata"]["name"]]
        [endpoint] = item["spec"]["endpoints"]
        assert endpoint == {"port": "http", "path": "/metrics", "interval": "30s"}
        assert [port["name"] for port in service["spec"]["ports"]] == ["http"]
        assert item["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert item["spec"]["namespaceSelector"] == {"matchNames": ["production"]}


def test_alert_templates_reach_prometheus_unrendered(render):
    """Helm leaves `{{ $labels.job }}` to Prometheus."""
    groups = render("production").one("PrometheusRule")["spec"]["groups"]
    summaries = [
        rule["annotations"]["summary"] for group in groups for rule in group["rules"] if "alert" in rule
    ]
    assert len(summaries) == 5
    assert [text for text in summaries if "{{ $labels." not in text] == []


def test_every_alert_has_a_case():
    """Every alert has a case that fires it."""
    alerts = {
        rule["alert"]
        for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    fired = {
        case["alertname"]
        for test in yaml.safe_load(CASES.read_text(encoding="utf-8"))["tests"]
        for case in test.get("alert_rule_test", ())
        if case["exp_alerts"]
    }
    assert fired == alerts


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool comes with Debian's package `prometheus`"
)
def test_rules_fire_when_they_should_and_only_then(tmp_path):
    """Each case of alerts.promtool.yaml holds for the chart's own rules file."""
    for file in (RULES, CASES):
        shutil.copy(file, tmp_path)
    finished = subprocess.run(
        ["promtool", "test", "rules", CASES.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
