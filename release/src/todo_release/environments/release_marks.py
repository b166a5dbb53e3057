"""Marks deployments where people look for causes: an Event in Kubernetes, an annotation in Grafana.

A mark that cannot be written is a note: it never ends a release.
"""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from urllib3.exceptions import HTTPError

from todo_release.adapters import http
from todo_release.adapters.kubernetes.api_resources import CONFIG_MAPS, EVENTS
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.config.health_watch import GrafanaSettings, MarkSettings
from todo_release.core.progress import ProgressCallback
from todo_release.environments.environment import EnvironmentAccess, ReleaseMark
from todo_release.errors import ReleaseError

REPORTER = "release-engine"
RANDOM_BYTES = 5
SUCCESS = 200
REQUEST_SECONDS = 5.0
PRINTABLE = re.compile(r"[!-~]+")


class MarkFailedError(Exception):
    """A mark was not written; the text says why."""


@dataclass(frozen=True, slots=True)
class ReleaseMarks:
    """Writes the marks of one application."""

    application: str
    settings: MarkSettings
    environ: Mapping[str, str]

    def __call__(self, access: EnvironmentAccess, mark: ReleaseMark, say: ProgressCallback) -> None:
        """Writes every mark; says which could not be written, and why."""
        try:
            write_event(access, mark)
        except ReleaseError as error:
            say(f"no Event was written: {error.problem}", is_note=True)
        grafana = self.settings.grafana
        if grafana is None:
            return
        try:
            token = self.environ.get(grafana.token_variable, "").strip()
            annotate(grafana, token, self._annotation(access, mark))
        except MarkFailedError as error:
            say(f"no annotation was written: {error}", is_note=True)

    def _annotation(self, access: EnvironmentAccess, mark: ReleaseMark) -> JsonObject:
        """Returns an annotation of every dashboard that asks for its tags."""
        return {
            "time": _milliseconds(mark.began_at),
            "timeEnd": _milliseconds(mark.ended_at),
            "tags": ["release", self.application, access.name, mark.reason],
            "text": f"{mark.text} by {mark.by}",
        }


def write_event(access: EnvironmentAccess, mark: ReleaseMark) -> None:
    """Writes an Event about the ConfigMap with the environment's records, which every release keeps.

    Raises:
        LockedError: the lock was lost.
        ClusterError: the API server was not reachable or refused.
    """
    namespace, name = access.settings.namespace, access.records.name
    about = access.cluster.read(f"{CONFIG_MAPS.path(namespace)}/{name}") or {"metadata": {}}
    at = mark.ended_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{secrets.token_hex(RANDOM_BYTES)}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": name,
            "namespace": namespace,
            "uid": about["metadata"].get("uid", ""),
        },
        "type": "Normal" if mark.reason == "Released" else "Warning",
        "reason": mark.reason,
        "message": mark.text,
        "source": {"component": REPORTER},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
    access.cluster.create(EVENTS.path(namespace), body)


def annotate(settings: GrafanaSettings, token: str, annotation: JsonObject) -> None:
    """Writes an annotation with Grafana's HTTP API.

    Raises:
        MarkFailedError: there is no token that can be sent, or Grafana refused or did not answer.
    """
    if not token:
        raise MarkFailedError(f"${settings.token_variable} is not set")
    if not PRINTABLE.fullmatch(token):  # of an HTTP header; the error of the client would show the token
        raise MarkFailedError(f"${settings.token_variable} holds other characters than a token has")
    pool = http.pool(settings.url, read_seconds=REQUEST_SECONDS, connect_seconds=REQUEST_SECONDS)
    try:
        answer = pool.request(
            "POST",
            f"{settings.url}/api/annotations",
            body=json.dumps(annotation),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
    except HTTPError as error:
        raise MarkFailedError(f"{settings.url} does not answer: {http.reason_of(error)}") from error
    if answer.status != SUCCESS:
        raise MarkFailedError(f"{settings.url} answers {answer.status}")


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
