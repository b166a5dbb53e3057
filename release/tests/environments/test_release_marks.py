"""Deployments are marked by an Event and an annotation; what cannot be written is only said."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from todo_release.adapters.kubernetes.client import Cluster
from todo_release.config.health_watch import GrafanaSettings, MarkSettings
from todo_release.config.model import TargetEnvironment
from todo_release.environments.environment import EnvironmentAccess, ReleaseMark
from todo_release.environments.history import RecordStore
from todo_release.environments.release_marks import ReleaseMarks

from ..doubles.clients import HelmDouble
from ..doubles.kubernetes_api import ApiDouble

ENDED_AT = datetime(2026, 11, 28, 12, 0, 30, tzinfo=UTC)
MARK = ReleaseMark(
    reason="Released",
    text="staging: deploy 0.2.0 to staging (revision 2)",
    by="Rita",
    began_at=ENDED_AT - timedelta(seconds=30),
    ended_at=ENDED_AT,
)
TOKEN = "secret"
RECORDS = "api/v1/namespaces/staging/configmaps/shop-releases"


@dataclass
class GrafanaDouble:
    """Keeps the annotations that were posted with the right token, and answers as Grafana does."""

    url: str = ""
    posted: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def grafana() -> Iterator[GrafanaDouble]:
    """Serves the annotations API."""
    double = GrafanaDouble()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            is_allowed = (
                self.headers["authorization"] == f"Bearer {TOKEN}" and self.path == "/api/annotations"
            )
            if is_allowed:
                double.posted.append(json.loads(body))
            self.send_response(200 if is_allowed else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Drops the line."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        double.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield double
        server.shutdown()
        thread.join()


@pytest.fixture
def access(cluster: Cluster) -> EnvironmentAccess:
    """Returns staging on the API double."""
    settings = TargetEnvironment(context="here", namespace="staging", release="shop", url="http://shop.test")
    return EnvironmentAccess(
        name="staging",
        settings=settings,
        cluster=cluster,
        helm=HelmDouble(),  # type: ignore[arg-type]  # a double
        records=RecordStore(cluster, "staging", "shop"),
    )


def write(access: EnvironmentAccess, url: str | None = None, token: str = TOKEN) -> list[str]:
    """Writes a mark and returns what was said."""
    said: list[str] = []
    settings = MarkSettings(grafana=GrafanaSettings(url=url) if url else None)
    environ = {"GRAFANA_TOKEN": token}
    ReleaseMarks("shop", settings, environ)(access, MARK, lambda text, is_note=False: said.append(text))
    return said


def test_event_is_about_the_records_of_the_release(access: EnvironmentAccess, api: ApiDouble) -> None:
    """The ConfigMap with the records stays from release to release, so `kubectl describe` shows all marks."""
    api.put(RECORDS, {"metadata": {"name": "shop-releases", "uid": "uid-1"}})
    assert write(access) == []
    (event,) = [body for path, body in api.objects.items() if "/events/" in path]
    assert event["involvedObject"]["uid"] == "uid-1"
    assert (event["type"], event["reason"], event["message"]) == ("Normal", "Released", MARK.text)
    assert event["lastTimestamp"] == "2026-11-28T12:00:30Z"


def test_annotation_covers_the_rollout_and_has_tags(
    access: EnvironmentAccess, grafana: GrafanaDouble
) -> None:
    """Dashboards find it by its tags; its times are milliseconds."""
    assert write(access, grafana.url) == []
    assert grafana.posted == [
        {
            "time": 1795867200000,
            "timeEnd": 1795867230000,
            "tags": ["release", "shop", "staging", "Released"],
            "text": f"{MARK.text} by Rita",
        }
    ]


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("", r"$GRAFANA_TOKEN is not set"),
        ("wrong", "answers 401"),
        ("hidden\nword", "$GRAFANA_TOKEN holds other characters"),
        ("hiddén", "$GRAFANA_TOKEN holds other characters"),
    ],
    ids=["none", "wrong", "two lines", "not ASCII"],
)
def test_annotation_that_is_not_written_is_a_note(
    access: EnvironmentAccess, grafana: GrafanaDouble, token: str, why: str
) -> None:
    """A release goes on without Grafana."""
    (said,) = write(access, grafana.url, token)
    assert said.startswith("no annotation was written: ")
    assert why in said
    assert not token or token not in said
    assert grafana.posted == []


def test_token_that_was_read_with_its_line_end_is_sent(
    access: EnvironmentAccess, grafana: GrafanaDouble
) -> None:
    """Secrets of CI often end with one, and a header may not hold it."""
    assert write(access, grafana.url, f"{TOKEN}\n") == []
    assert len(grafana.posted) == 1


def test_marks_that_nobody_takes_are_notes(access: EnvironmentAccess, api: ApiDouble) -> None:
    """Neither an API server that refuses nor a Grafana that is away ends a release."""
    api.refused[RECORDS] = 403
    event, annotation = write(access, "http://127.0.0.1:1")
    assert event.startswith("no Event was written: Kubernetes refused")
    assert "does not answer" in annotation
