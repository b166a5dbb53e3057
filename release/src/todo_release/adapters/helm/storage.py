"""Reads and edits Helm's own records of a release: Secrets that hold one revision each.

Reading them takes requests instead of a process. Lists ask for metadata only, because a record may have a
mebibyte and Helm keeps many; the content of a record is read when it is needed. Editing one is the only way
to remove the lock of a killed Helm without deleting anything (`helm uninstall` deletes production); Flux
unlocks in the same way (`internal/reconcile/unlock.go`). The format is the same in Helm 3 and 4: base64 of
gzipped JSON inside the Secret's own base64.
"""

import base64
import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from todo_release.adapters.kubernetes.api_resources import SECRETS
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.errors import HelmError

METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
PENDING_STATUSES = ("pending-install", "pending-upgrade", "pending-rollback")
WORKING_STATUSES = ("deployed", "superseded")


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a release; `description` is the one that the engine passed to `helm upgrade`."""

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
        """Takes the cluster and namespace; nothing is read yet."""
        self._cluster = cluster
        self._path = SECRETS.path(namespace)
        self._known: dict[str, tuple[str, dict[str, Any]]] = {}  # by name: resource version and content

    def history(self, release: str) -> list[Revision]:
        """Returns the revisions that Helm still keeps, oldest first; none when the release does not exist.

        Reads all of them with their content; `newest` is cheaper.

        Raises:
            HelmError: A record cannot be read.
            ClusterError: The API server was not reachable or refused.
        """
        secrets = self._cluster.items(self._path, {"labelSelector": _selector(release)})
        return [_revision(decode_record(secret)) for secret in sorted(secrets, key=_number)]

    def newest(self, release: str) -> Revision | None:
        """Returns the last revision; None when the release does not exist.

        Raises:
            HelmError: Its record cannot be read.
            ClusterError: The API server was not reachable or refused.
        """
        body = self._newest_body(release)
        return _revision(body) if body else None

    def statuses(self, release: str) -> dict[int, str]:
        """Returns the status of each revision that Helm still keeps, by number; only metadata is read."""
        return {
            _number(listed): listed["metadata"]["labels"].get("status", "")
            for listed in self._metadata(release)
        }

    def began_at(self, release: str, revision: int) -> datetime | None:
        """Returns when Helm began a revision, by the API server's clock; None when Helm no longer keeps it.

        Revisions right before it that failed belong to it: a try that was cut off may have made its pods.
        """
        at: datetime | None = None
        for listed in reversed(self._metadata(release)):
            number, status = _number(listed), listed["metadata"]["labels"].get("status")
            if number == revision or (at is not None and status not in WORKING_STATUSES):
                at = datetime.fromisoformat(listed["metadata"]["creationTimestamp"])
            elif at is not None:
                break
        return at

    def revision(self, release: str, number: int) -> Revision | None:
        """Returns one revision; None when Helm no longer keeps it."""
        secret = self._cluster.read(f"{self._path}/{_name(release, number)}")
        return _revision(decode_record(secret)) if secret else None

    def manifest(self, release: str, revision: int | None = None) -> str:
        """Returns the manifest of a revision (the last one by default), without its hooks.

        Raises:
            HelmError: There is no such revision.
        """
        return str(self._body(release, revision)["manifest"])

    def values(self, release: str, revision: int | None = None) -> dict[str, Any]:
        """Returns the values of a revision, without the chart's own defaults."""
        return dict(self._body(release, revision).get("config") or {})

    def unlock(self, release: str) -> Revision | None:
        """Marks a revision that is still `pending-*` as failed, so that Helm accepts the next one.

        Call it only while holding the environment's lock; otherwise a running Helm process loses its lock. If
        one finishes at this moment, it wins, because the record is replaced only in the version that was
        read.

        Returns:
            The revision before the change; None when none was pending.

        Raises:
            ApiConflictError: The record changed meanwhile.
        """
        listed = self._metadata(release)
        if not listed or listed[-1]["metadata"]["labels"].get("status") not in PENDING_STATUSES:
            return None
        secret = self._secret(release, _number(listed[-1]))
        last = decode_record(secret)
        if last["info"]["status"] not in PENDING_STATUSES:
            return None
        pending = _revision(last)
        self._mark(secret, last, f"interrupted while {pending.status}; unlocked")
        return pending

    def mark_failed(self, release: str, revision: int, description: str) -> None:
        """Records that a revision did not work, before it is rolled back.

        Without it Helm calls a revision `deployed` once it was applied and `superseded` after the rollback,
        like one that worked.
        """
        secret = self._secret(release, revision)
        self._mark(secret, decode_record(secret), description)

    def _mark(self, secret: Any, body: dict[str, Any], description: str) -> None:
        body["info"] |= {"status": "failed", "description": description}
        secret["data"]["release"] = encode_record(body)
        secret["metadata"]["labels"]["status"] = "failed"
        self._cluster.replace(f"{self._path}/{secret['metadata']['name']}", secret)

    def _body(self, release: str, revision: int | None) -> dict[str, Any]:
        """Returns the content of a record.

        One that was read before is not read again: Helm changes only the status and description of a
        revision, which `newest` and `revision` return.
        """
        known = self._known.get(_name(release, revision)) if revision else None
        body = known[1] if known else None if revision else self._newest_body(release)
        return body or decode_record(self._secret(release, revision))

    def _newest_body(self, release: str) -> dict[str, Any] | None:
        listed = self._metadata(release)
        if not listed:
            return None
        name, version = listed[-1]["metadata"]["name"], listed[-1]["metadata"]["resourceVersion"]
        if self._known.get(name, ("", {}))[0] != version:
            self._secret(release, _number(listed[-1]))
        return self._known[name][1]

    def _secret(self, release: str, revision: int | None) -> Any:
        path = None if revision is None else f"{self._path}/{_name(release, revision)}"
        secret = self._cluster.read(path) if path else None
        if secret is None:
            wanted = "revision" if revision is None else f"revision {revision}"
            kept = ", ".join(str(_number(listed)) for listed in self._metadata(release)) or "none"
            raise HelmError(
                f"Release {release!r} has no {wanted}; Helm keeps: {kept}.",
                remedy="Choose one of those, or release the version again.",
            )
        metadata = secret["metadata"]
        self._known[metadata["name"]] = (metadata["resourceVersion"], decode_record(secret))
        return secret

    def _metadata(self, release: str) -> list[Any]:
        """Returns the metadata of a release's records, oldest first."""
        query = {"labelSelector": _selector(release)}
        answer = self._cluster.read(self._path, query, accept=METADATA_ONLY)
        return sorted((answer or {}).get("items") or [], key=_number)  # null when none is there


def has_revision(secrets: Iterable[Any], release: str) -> bool:
    """Checks whether a namespace's Secrets hold a revision of a release, whatever its status is."""
    labels = _labels(release).items()
    return any(labels <= (secret["metadata"].get("labels") or {}).items() for secret in secrets)


def find_deployed(secrets: Iterable[Any], release: str) -> tuple[Revision, str] | None:
    """Returns the newest revision in a namespace's Secrets, with its manifest, if it is deployed."""
    own = [
        secret
        for secret in secrets
        if _labels(release).items() <= (secret["metadata"].get("labels") or {}).items()
    ]
    last = max(own, key=_number, default=None)
    if last is None or last["metadata"]["labels"].get("status") != "deployed":
        return None
    body = decode_record(last)
    return _revision(body), str(body["manifest"])


def last_good(history: list[Revision], before: int | None = None) -> Revision | None:
    """Returns the newest revision before `before` that worked; None when there is none to roll back to.

    A plain `helm rollback` takes the previous one whatever its status was.
    """
    worked = [
        revision
        for revision in history
        if revision.status in WORKING_STATUSES and (before is None or revision.number < before)
    ]
    return worked[-1] if worked else None


def _labels(release: str) -> dict[str, str]:
    return {"owner": "helm", "name": release}


def _selector(release: str) -> str:
    return ",".join(f"{key}={value}" for key, value in _labels(release).items())


def _name(release: str, revision: int) -> str:
    return f"sh.helm.release.v1.{release}.v{revision}"  # helm.sh/helm/v4/pkg/storage: makeKey


def _number(secret: Any) -> int:
    return int(secret["metadata"]["labels"]["version"])


def decode_record(secret: Any) -> dict[str, Any]:
    """Returns the content of a record.

    Raises:
        HelmError: It is not a record of Helm 3 or 4.
    """
    try:
        body = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    except (KeyError, ValueError, OSError) as error:
        raise HelmError(
            f"Helm's record {secret['metadata']['name']!r} cannot be read: {error}.",
            remedy="It was not written by Helm 3 or 4; restore it from a backup.",
        ) from error
    return dict(body)


def encode_record(body: dict[str, Any]) -> str:
    """Returns a record's `data.release`."""
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
    """Cuts the nanoseconds that Go writes to the six digits that Python 3.11 can parse."""
    head, dot, tail = instant.partition(".")
    digits = len(tail) - len(tail.lstrip("0123456789"))
    return f"{head}{dot}{tail[: min(digits, 6)]}{tail[digits:]}"
