"""Reads metrics: the Prometheus text format that pods show, and answers of Prometheus' HTTP API."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from urllib3.exceptions import HTTPError

from todo_release.adapters import http

Query = Mapping[str, str]
READ_SECONDS = 10
OK = 200
SHOWN_CHARACTERS = 200


class MetricsUnavailableError(Exception):
    """Metrics cannot be read or are not in the expected form; the text says why, in one line."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that fires, and since when its condition holds."""

    name: str
    labels: Mapping[str, str]
    began_at: datetime


def parse_text(text: str) -> list[Sample]:
    """Returns the samples of a page in the Prometheus text format.

    Raises:
        MetricsUnavailableError: it is not in that format.
    """
    from prometheus_client.parser import text_string_to_metric_families  # slow: only a watch needs it

    try:
        return [
            Sample(sample.name, sample.labels, float(sample.value))
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]
    except ValueError as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MetricsUnavailableError(f"not the Prometheus text format: {reason}") from error


class Prometheus:
    """Asks Prometheus' HTTP API; `get` sends a GET of a path with a query and returns the JSON answer."""

    def __init__(self, get: Callable[[str, Query], Any]) -> None:
        """Sends nothing yet."""
        self._get = get

    def samples(self, expression: str, *, name: str = "", at: datetime | None = None) -> list[Sample]:
        """Returns the value of each series of an instant vector, now or at an earlier time.

        Functions drop the name of a metric; the samples then have the given one.

        Raises:
            MetricsUnavailableError: Prometheus does not answer, or answers otherwise.
        """
        query = {"query": expression} | ({"time": at.isoformat()} if at else {})
        data = self._data("api/v1/query", query)
        try:
            return [
                Sample(entry["metric"].get("__name__", name), entry["metric"], float(entry["value"][1]))
                for entry in data["result"]
            ]
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            raise MetricsUnavailableError(f"{expression} is no instant vector") from error

    def firing_alerts(self) -> list[Alert]:
        """Returns the alerts that fire.

        Raises:
            MetricsUnavailableError: Prometheus does not answer, or answers otherwise.
        """
        data = self._data("api/v1/alerts", {})
        try:
            return [
                Alert(entry["labels"].get("alertname", "?"), entry["labels"], _instant(entry["activeAt"]))
                for entry in data["alerts"]
                if entry["state"] == "firing"
            ]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise MetricsUnavailableError("the list of alerts is not as expected") from error

    def _data(self, path: str, query: Query) -> Any:
        answer = self._get(path, query)
        if not isinstance(answer, dict) or answer.get("status") != "success":
            reason = answer.get("error") if isinstance(answer, dict) else answer
            raise MetricsUnavailableError(f"Prometheus answers: {str(reason)[:SHOWN_CHARACTERS]}")
        return answer.get("data")


def read_url(url: str) -> Callable[[str, Query], Any]:
    """Returns a function that sends a GET of a path below a URL and returns the JSON answer.

    The function raises MetricsUnavailableError when there is no answer, or none of success.
    """
    pool = http.pool(url, read_seconds=READ_SECONDS)

    def get(path: str, query: Query) -> Any:
        try:
            response = pool.request("GET", f"{url}/{path}", fields=dict(query))
            if response.status != OK:
                raise MetricsUnavailableError(f"{url} answers {response.status}")
            return json.loads(response.data)
        except HTTPError as error:
            raise MetricsUnavailableError(f"{url} does not answer: {http.reason_of(error)}") from error
        except ValueError as error:
            raise MetricsUnavailableError(f"{url} answers with something else than JSON") from error

    return get


def group_by_label(samples: Iterable[Sample], label: str) -> dict[str, list[Sample]]:
    """Returns the samples by the value of a label; those without it are left out."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        if label in sample.labels:
            groups.setdefault(sample.labels[label], []).append(sample)
    return groups


def _instant(text: str) -> datetime:
    """Parses an instant of Go, whose nine digits of a second Python 3.11 does not read."""
    head, _, tail = text.partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
    zone = tail[len(digits) :] if tail else ""
    at = datetime.fromisoformat(f"{head}.{digits[:6]}{zone}" if tail else head)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return at
