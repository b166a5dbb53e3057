"""Prometheus and its tools are built from their modules and work."""

import time
from pathlib import Path

import pytest

from todo_embedded.process import run
from todo_embedded.prometheus import amtool, node_exporter, promtool, running_prometheus
from todo_embedded.prometheus_api import PrometheusApi, QueryError

TIMEOUT_SECONDS = 30


def test_prometheus_scrapes_its_targets_and_evaluates_rules() -> None:
    """What it scraped can be asked for, and a rule has its value."""
    scrape = {"job_name": "other", "static_configs": [{"targets": []}]}
    group = {"name": "g", "rules": [{"record": "job:up:sum", "expr": "sum by (job) (up)"}]}
    deadline = time.monotonic() + TIMEOUT_SECONDS
    with running_prometheus([scrape]) as other:
        assert PrometheusApi(other).query("up") == []
        scrape["static_configs"] = [{"targets": [other.removeprefix("http://")]}]
        with running_prometheus([scrape], rules=[group]) as url:
            prometheus = PrometheusApi(url)
            while not (found := prometheus.query("job:up:sum == 1")) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert [series["metric"] for series in found] == [{"__name__": "job:up:sum", "job": "other"}]
            assert [(rule["name"], rule["health"]) for rule in prometheus.rules()] == [("job:up:sum", "ok")]
            assert "up" in prometheus.metric_names()
            assert prometheus.query_range("up", minutes=1, step_seconds=1)


def test_query_without_data_is_named_and_a_faulty_one_is_refused() -> None:
    """A number that is none counts as no data."""
    attempts: list[None] = []
    with running_prometheus([]) as url:
        prometheus = PrometheusApi(url)
        empty = prometheus.without_data(
            ["vector(1)", "absent_metric", "vector(0) / 0"],
            timeout_seconds=0.1,
            meanwhile=lambda: attempts.append(None),
        )
        with pytest.raises(QueryError, match="parse error"):
            prometheus.query("sum(")
    assert empty == ["absent_metric", "vector(0) / 0"]
    assert attempts


@pytest.mark.parametrize("program", [promtool, amtool, node_exporter])
def test_program_runs(program: object, tmp_path: Path) -> None:
    """Each program was built for this machine."""
    assert callable(program)
    result = run([program(), "--help"], cwd=tmp_path, timeout_seconds=TIMEOUT_SECONDS)
    assert "usage:" in f"{result.stdout}{result.stderr}".lower()
