"""Reads the expressions of a dashboard and of rules, for tests that ask a real Prometheus."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_METRIC = re.compile(r"\b([a-z_:][a-z0-9_:]*)\{")


def panel_expressions(document: Mapping[str, Any], values: Mapping[str, str]) -> list[str]:
    """Returns the expressions of all panels, with `values` for the dashboard's variables."""
    return [
        _filled(target["expr"], values) for panel in document["panels"] for target in panel.get("targets", ())
    ]


def mark_expressions(document: Mapping[str, Any], values: Mapping[str, str]) -> list[str]:
    """Returns the expressions of the marks (annotations), with `values` for the dashboard's variables."""
    return [_filled(mark["expr"], values) for mark in document["annotations"]["list"]]


def metric_names(expressions: Iterable[str]) -> set[str]:
    """Returns the names of the metrics that expressions select with labels."""
    return {name for expression in expressions for name in _METRIC.findall(expression)}


def _filled(expression: str, values: Mapping[str, str]) -> str:
    for variable, value in values.items():
        expression = expression.replace(variable, value)
    return expression
