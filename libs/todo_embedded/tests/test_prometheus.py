"""Prometheus and its tools are built from their modules and work."""

import time
from pathlib import Path

import httpx2
import pytest

from todo_embedded.process import run
from todo_embedded.prometheus import amtool, node_exporter, promtool, running_prometheus

TIMEOUT_SECONDS = 30


def query(url: str, expression: str) -> list[dict[str, object]]:
    """Returns the result of an instant query."""
    answer = httpx2.get(f"{url}/api/v1/query", params={"query": expression}).raise_for_status().json()
    found: list[dict[str, object]] = answer["data"]["result"]
    return found


def test_prometheus_scrapes_its_targets() -> None:
    """What it scraped can be asked for: here its own metrics, by a job of our name."""
    scrape = {"job_name": "itself", "static_configs": [{"targets": []}]}
    with running_prometheus([scrape]) as empty:
        assert query(empty, "up") == []
    deadline = time.monotonic() + TIMEOUT_SECONDS
    with running_prometheus([]) as target:
        scrape["static_configs"] = [{"targets": [target.removeprefix("http://")]}]
        with running_prometheus([scrape]) as url:
            while not (found := query(url, "up==1")) and time.monotonic() < deadline:
                time.sleep(0.1)
    assert [series["metric"] for series in found] == [
        {"__name__": "up", "job": "itself", "instance": target.removeprefix("http://")}
    ]


@pytest.mark.parametrize("program", [promtool, amtool, node_exporter])
def test_program_runs(program: object, tmp_path: Path) -> None:
    """Each program was built for this machine."""
    assert callable(program)
    result = run([program(), "--help"], cwd=tmp_path, timeout_seconds=TIMEOUT_SECONDS)
    assert "usage:" in f"{result.stdout}{result.stderr}".lower()
