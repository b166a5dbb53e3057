"""Asks a running Prometheus."""

import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 30
POLL_SECONDS = 2.0

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is never behind a proxy


class QueryError(Exception):
    """Prometheus refused a query."""


@dataclass(frozen=True)
class PrometheusApi:
    """The HTTP API of the Prometheus at `url`."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Returns the series of an instant query that have a number. Raises QueryError."""
        found = self._get("query", query=expression)["result"]
        return [series for series in found if not math.isnan(float(series["value"][1]))]

    def query_range(self, expression: str, *, minutes: int, step_seconds: int) -> list[dict[str, Any]]:
        """Returns the series of an expression over the last minutes. Raises QueryError."""
        end = time.time()
        found: list[dict[str, Any]] = self._get(
            "query_range", query=expression, start=end - 60 * minutes, end=end, step=step_seconds
        )["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Returns every rule with its health."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def metric_names(self) -> set[str]:
        """Returns the names of all metrics."""
        return set(self._get("label/__name__/values"))

    def without_data(
        self, expressions: Iterable[str], *, timeout_seconds: float, meanwhile: Callable[[], None]
    ) -> list[str]:
        """Returns the expressions that have no data within a time limit.

        `meanwhile` is called before each further attempt.

        Raises:
            QueryError: Prometheus refused one of them.
        """
        deadline = time.monotonic() + timeout_seconds
        empty = list(expressions)
        while empty := [expression for expression in empty if not self.query(expression)]:
            if time.monotonic() >= deadline:
                break
            meanwhile()
            time.sleep(POLL_SECONDS)
        return empty

    def _get(self, path: str, **parameters: Any) -> Any:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with _opener.open(url, timeout=TIMEOUT_SECONDS) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(f"{parameters}: {error.read().decode(errors='replace')}") from error
