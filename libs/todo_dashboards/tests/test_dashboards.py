"""The committed dashboards are those of the code, and have what Grafana needs to show them."""

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from todo_dashboards.__main__ import DASHBOARDS, write
from todo_dashboards.panels import to_json
from todo_dashboards.queries import mark_expressions, metric_names, panel_expressions

COMMITTED = Path(__file__).parents[3] / "chart/files/dashboards"
# Grafana's own variables, and those of every dashboard, with a value that an expression may have.
VALUES = {"$__rate_interval": "2m", "$namespace": "production", "$service": ".+"}


def document(name: str) -> dict[str, Any]:
    """Returns a committed dashboard."""
    read: dict[str, Any] = json.loads((COMMITTED / f"{name}.json").read_text(encoding="utf-8"))
    return read


def panels(name: str) -> list[dict[str, Any]]:
    """Returns the panels of a dashboard that ask for something."""
    found = [panel for panel in document(name)["panels"] if panel["type"] != "row"]
    assert found
    return found


def expressions(name: str) -> list[str]:
    """Returns every expression of a dashboard, with values for its variables."""
    read = document(name)
    return panel_expressions(read, VALUES) + mark_expressions(read, VALUES)


def test_committed_dashboards_are_those_of_the_code(tmp_path: Path) -> None:
    """After a change of the code run `python -m todo_dashboards chart/files/dashboards`."""
    write(tmp_path)
    written = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text(encoding="utf-8") for path in COMMITTED.iterdir()}
    assert committed == written


def test_changed_dashboard_is_found() -> None:
    """The comparison is not blind: another title is another text."""
    committed = (COMMITTED / "events.json").read_text(encoding="utf-8")
    assert to_json(DASHBOARDS["events"]().title("Other")) != committed


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_expression_can_be_parsed(name: str) -> None:
    """No variable is left that has no value, and Prometheus would accept each expression."""
    for expression in expressions(name):
        assert "$" not in expression
        promql_parser.parse(expression)


def test_faulty_expression_is_refused() -> None:
    """The parser knows PromQL."""
    with pytest.raises(ValueError, match="unclosed"):
        promql_parser.parse("sum by (job) (rate(up[5m])")


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_panel_has_a_unit_a_title_and_the_chosen_data_source(name: str) -> None:
    """Numbers mean something, and the dashboard works with a Prometheus of any name."""
    for panel in panels(name):
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
        assert panel["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_rates_have_the_interval_of_the_zoom(name: str) -> None:
    """A fixed range shows gaps when it is shorter than the scrape interval, and lies when it is longer."""
    ranges = {
        found
        for panel in panels(name)
        for target in panel["targets"]
        for found in re.findall(r"\brate\([^[]+\[([^]]+)\]", target["expr"])
    }
    assert ranges <= {"$__rate_interval"}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_lie_within_the_width_and_not_on_each_other(name: str) -> None:
    """Grafana would move overlapping panels to places that nobody chose."""
    cells = [
        (x, y)
        for panel in document(name)["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_dashboards_have_ids_of_their_own_and_show_releases() -> None:
    """Two dashboards with one id would replace each other; each marks the releases."""
    documents = [document(name) for name in DASHBOARDS]
    assert len({found["uid"] for found in documents}) == len(DASHBOARDS)
    assert [[mark["name"] for mark in found["annotations"]["list"]] for found in documents] == [
        ["Releases"]
    ] * len(DASHBOARDS)


def test_names_of_metrics_are_those_that_expressions_select() -> None:
    """Functions, labels and variables are no metrics."""
    expression = 'sum by (job) (rate(http_requests_total{job="a"}[5m])) / job:http_requests:rate5m{job="a"}'
    assert metric_names([expression]) == {"http_requests_total", "job:http_requests:rate5m"}
