"""A real Prometheus that scrapes the real services answers what dashboards and rules ask of them.

What only a cluster has (pods, nodes, certificates) is asked in tests/system/test_monitoring.py.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from todo_dashboards.queries import metric_names, panel_expressions
from todo_embedded.prometheus import running_prometheus
from todo_embedded.prometheus_api import PrometheusApi

from .running_services import ROOT, RunningServices, running_services

VARIABLES = {"$__rate_interval": "20s", "$namespace": "production", "$service": ".+"}
OF_THE_CLUSTER = ("kube_", "container_", "node_", "certmanager_", "dapr_injector_", "dapr_sentry_")
TIMEOUT_SECONDS = 120


@pytest.fixture(scope="module")
def rules() -> list[dict[str, object]]:
    """The groups of rules of production."""
    command = [
        "helm", "template", "todo-app", str(ROOT / "chart"), "--namespace=production",
        "--set=monitoring.enabled=true",
    ]  # fmt: skip
    rendered = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    documents = [found for found in yaml.safe_load_all(rendered) if found]
    return [
        group for item in documents if item["kind"] == "PrometheusRule" for group in item["spec"]["groups"]
    ]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServices]:
    """The running services."""
    with running_services(tmp_path_factory.mktemp("services") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def prometheus(services: RunningServices, rules: list[dict[str, object]]) -> Iterator[PrometheusApi]:
    """A Prometheus that scrapes them each second and evaluates production's rules."""
    with running_prometheus(services.scrapes("production"), rules=rules) as url:
        yield PrometheusApi(url)


def asked_here(expressions: list[str]) -> list[str]:
    """Returns the expressions that need nothing of a cluster."""
    return [
        expression
        for expression in expressions
        if not any(name.startswith(OF_THE_CLUSTER) for name in metric_names([expression]))
    ]


@pytest.mark.parametrize("name", ["services", "events"])
def test_every_query_of_a_dashboard_returns_data(
    services: RunningServices, prometheus: PrometheusApi, name: str
) -> None:
    """While the services are used, no panel is empty."""
    file = Path(ROOT / f"chart/files/dashboards/{name}.json")
    expressions = asked_here(panel_expressions(json.loads(file.read_text(encoding="utf-8")), VARIABLES))
    assert len(expressions) >= 10
    empty = prometheus.without_data(expressions, timeout_seconds=TIMEOUT_SECONDS, meanwhile=services.use)
    assert empty == []


def test_every_metric_of_a_rule_is_served(
    services: RunningServices, prometheus: PrometheusApi, rules: list[dict[str, object]]
) -> None:
    """A rule on a metric that nobody serves would be silent for ever."""
    services.use()
    expressions = [str(rule["expr"]) for group in rules for rule in group["rules"]]  # type: ignore[attr-defined]  # a list
    wanted = [f'count({name}{{namespace="production"}})' for name in metric_names(asked_here(expressions))]
    assert len(wanted) >= 8
    empty = prometheus.without_data(wanted, timeout_seconds=TIMEOUT_SECONDS, meanwhile=services.use)
    assert empty == []


def test_rules_are_evaluated_and_none_fires(services: RunningServices, prometheus: PrometheusApi) -> None:
    """Every rule is healthy, and services that work raise no alert."""
    services.use()
    evaluated = [rule for rule in prometheus.rules() if rule["health"] != "unknown"]
    assert [rule["name"] for rule in evaluated if rule["health"] != "ok"] == []
    assert {rule["name"] for rule in evaluated} >= {"HighErrorRate", "OutboxStuck", "job:http_slow:ratio1h"}
    firing = [rule["name"] for rule in evaluated if rule.get("state") == "firing"]
    assert firing == []
