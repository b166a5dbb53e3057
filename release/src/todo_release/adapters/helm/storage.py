"""Helm's own records of a release: the Secrets that hold one revision each.

Reading them takes one request instead of a process, and editing one is the only way to undo a lock that a
killed Helm left behind without deleting anything (`helm uninstall` deletes production). The format is the
same in Helm 3 and 4: base64 of gzipped JSON inside the Secret's own base64. Flux unlocks the same way
(`internal/reconcile/unlock.go`).
"""

import base64
import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from todo_release.adapters.kubernetes.client import Cluster
from todo_release.errors import HelmError

PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
WORKED = ("deployed", "superseded")


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a release; `description` is what the engine gave to `helm upgrade`."""

    number: int
    status: str
    chart: str
    chart_version: str
    app_version: str
    updated_at: datetime
    description: str


class ReleaseRecords:
    """The revisions of the releases in one namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        """Nothing is read yet."""
        self._cluster = cluster
        self._path = f"api/v1/namespaces/{namespace}/secrets"

    def history(self, release: str) -> list[Revision]:
        """Every revision Helm still keeps, oldest first; empty when the release does not exist.

        Raises:
            HelmError: a record cannot be read.
            ClusterError: the API server was not reachable or refused.
        """
        return [_revision(decode(secret)) for secret in self._secrets(release)]

    def manifest(self, release: str, revision: int | None = None) -> str:
        """What a revision (the last one by default) gave to the cluster, without its hooks.

        Raises:
            HelmError: there is no such revision.
        """
        return str(self._body(release, revision)["manifest"])

    def values(self, release: str, revision: int | None = None) -> dict[str, Any]:
        """The values that were given to a revision, without the chart's own defaults."""
        return dict(self._body(release, revision).get("config") or {})

    def unlock(self, release: str) -> Revision | None:
        """Mark a revision that is still `pending-*` as failed, so that Helm accepts the next one; returns it
        as it was found, None if none is.

        Only for the holder of the environment's lock: a Helm that still works would be robbed of its own.
        Should one finish in this moment, it wins, because the record is replaced only as it was read.

        Raises:
            ConflictError: the record changed meanwhile.
        """
        secrets = self._secrets(release)
        if not secrets:
            return None
        last = decode(secrets[-1])
        if last["info"]["status"] not in PENDING:
            return None
        found = _revision(last)
        self._mark(secrets[-1], last, f"interrupted while {found.status}; unlocked")
        return found

    def mark_failed(self, release: str, revision: int, description: str) -> None:
        """Write down that a revision did not work, before it is rolled back.

        Helm calls a revision `deployed` once it was applied and `superseded` after the rollback, like one
        that worked.
        """
        secret = self._secret(release, revision)
        self._mark(secret, decode(secret), description)

    def _mark(self, secret: Any, body: dict[str, Any], description: str) -> None:
        body["info"] |= {"status": "failed", "description": description}
        secret["data"]["release"] = encode(body)
        secret["metadata"]["labels"]["status"] = "failed"
        self._cluster.replace(f"{self._path}/{secret['metadata']['name']}", secret)

    def _body(self, release: str, revision: int | None) -> dict[str, Any]:
        return decode(self._secret(release, revision))

    def _secret(self, release: str, revision: int | None) -> Any:
        secrets = self._secrets(release)
        wanted = [one for one in secrets if revision is None or _number(one) == revision]
        if not wanted:
            kept = ", ".join(str(_number(one)) for one in secrets) or "none"
            raise HelmError(
                f"Release {release!r} has no revision {revision or ''}; Helm keeps: {kept}.".replace(
                    "  ", " "
                ),
                remedy="Choose one of those, or release the version again.",
            )
        return wanted[-1]

    def _secrets(self, release: str) -> list[Any]:
        selector = ",".join(f"{key}={value}" for key, value in _labels(release).items())
        found = self._cluster.items(self._path, {"labelSelector": selector})
        return sorted(found, key=_number)


def deployed(secrets: Iterable[Any], release: str) -> tuple[Revision, str] | None:
    """The newest revision among the Secrets of a namespace with its manifest, if Helm calls it deployed."""
    own = [
        one for one in secrets if _labels(release).items() <= (one["metadata"].get("labels") or {}).items()
    ]
    last = max(own, key=_number, default=None)
    if last is None or last["metadata"]["labels"].get("status") != "deployed":
        return None
    body = decode(last)
    return _revision(body), str(body["manifest"])


def last_good(history: list[Revision], before: int | None = None) -> Revision | None:
    """The newest revision that worked, older than `before`; None when there is none to go back to.

    A bare `helm rollback` takes the previous one whatever its status was.
    """
    worked = [one for one in history if one.status in WORKED and (before is None or one.number < before)]
    return worked[-1] if worked else None


def _labels(release: str) -> dict[str, str]:
    return {"owner": "helm", "name": release}


def _number(secret: Any) -> int:
    return int(secret["metadata"]["labels"]["version"])


def decode(secret: Any) -> dict[str, Any]:
    """What a record holds.

    Raises:
        HelmError: it is none of Helm 3 or 4.
    """
    try:
        body = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    except (KeyError, ValueError, OSError) as error:
        raise HelmError(
            f"Helm's record {secret['metadata']['name']!r} cannot be read: {error}.",
            remedy="It was not written by Helm 3 or 4; restore it from a backup.",
        ) from error
    return dict(body)


def encode(body: dict[str, Any]) -> str:
    """A record's `data.release`."""
    packed = base64.b64encode(gzip.compress(json.dumps(body).encode()))
    return base64.b64encode(packed).decode()


def _revision(body: dict[str, Any]) -> Revision:
    info, chart = body["info"], body["chart"]["metadata"]
    return Revision(
        number=body["version"],
        status=info["status"],
        chart=chart["name"],
        chart_version=chart["version"],
        app_version=chart.get("appVersion", ""),
        updated_at=datetime.fromisoformat(_microseconds(info["last_deployed"])),
        description=info.get("description", ""),
    )


def _microseconds(instant: str) -> str:
    """Go writes nanoseconds, `fromisoformat` of Python 3.11 reads six digits at most."""
    head, dot, tail = instant.partition(".")
    digits = len(tail) - len(tail.lstrip("0123456789"))
    return f"{head}{dot}{tail[: min(digits, 6)]}{tail[digits:]}"
