"""Scales the workloads of a Helm release to zero and back, and remembers how many replicas each had.

The number is an annotation of the workload and is written together with the scale, in one request. An
autoscaler does nothing while its target has no replicas, and goes on when it has some again; disruption
budgets only concern evictions. Changes of this manager are not edits by hand (`managed_fields`).
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from todo_release.adapters.kubernetes.api_resources import DEPLOYMENTS, LEASES, STATEFUL_SETS, Resource

MANAGER = "release-engine-sleep"
REMEMBERED = "sleep.release-engine.dev/replicas"
LOCK = "release-lock"  # the Lease of `environments.lock`
RELEASE_NAME = "meta.helm.sh/release-name"  # how Helm marks what it owns
SCALED: Mapping[str, Resource] = {"Deployment": DEPLOYMENTS, "StatefulSet": STATEFUL_SETS}


class ScalableCluster(Protocol):
    """What scaling needs of a cluster (`todo_release.adapters.kubernetes.client.Cluster`)."""

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Any]:
        """Returns the items of a list."""

    def patch(self, path: str, body: dict[str, Any], *, manager: str) -> Any:
        """Merges fields into an object."""


def put_to_sleep(cluster: ScalableCluster, namespace: str, release: str) -> dict[str, int]:
    """Scales every workload of a release to zero; returns how many replicas each had, by `Kind/name`.

    One that sleeps or has no replicas is left as it is, so calling it again changes nothing.

    Raises:
        ApiConflictError: Somebody changed a workload at the same moment.
        ClusterError: The API server did not answer or refused.
    """
    scaled = {}
    for kind, path, item in _workloads(cluster, namespace, release, SCALED):
        replicas = item["spec"].get("replicas", 1)
        if replicas and REMEMBERED not in _annotations(item):
            _scale(cluster, path, item, replicas=0, remembered=str(replicas))
            scaled[f"{kind}/{item['metadata']['name']}"] = replicas
    return scaled


def wake(
    cluster: ScalableCluster, namespace: str, release: str, kinds: Iterable[str] = SCALED
) -> dict[str, int]:
    """Gives every sleeping workload its replicas back; returns how many, by `Kind/name`.

    One that somebody scaled up meanwhile keeps what it has. Only workloads of these `kinds` are looked for.

    Raises:
        ApiConflictError: Somebody changed a workload at the same moment.
        ClusterError: The API server did not answer or refused.
    """
    woken = {}
    for kind, path, item in _workloads(cluster, namespace, release, kinds):
        remembered = _annotations(item).get(REMEMBERED)
        if remembered is not None:
            replicas = item["spec"].get("replicas", 1) or int(remembered)
            _scale(cluster, path, item, replicas=replicas, remembered=None)
            woken[f"{kind}/{item['metadata']['name']}"] = replicas
    return woken


def find_release(cluster: ScalableCluster, namespace: str, now: datetime) -> str:
    """Returns who releases to a namespace now; empty when nobody does, or died while doing so.

    The clocks of the holder and of this machine are compared, which is good enough for not disturbing.

    Raises:
        ClusterError: The API server did not answer or refused.
    """
    for lease in cluster.items(LEASES.path(namespace)):
        spec = lease.get("spec") or {}
        if lease["metadata"]["name"] != LOCK or not spec.get("holderIdentity") or not spec.get("renewTime"):
            continue
        valid = timedelta(seconds=spec.get("leaseDurationSeconds") or 0)
        if datetime.fromisoformat(spec["renewTime"]) + valid > now:
            return str(spec["holderIdentity"]).rpartition("/")[0] or str(spec["holderIdentity"])
    return ""


def _workloads(
    cluster: ScalableCluster, namespace: str, release: str, kinds: Iterable[str]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for kind in kinds:
        resource = SCALED[kind]
        for item in cluster.items(resource.path(namespace)):
            if _annotations(item).get(RELEASE_NAME) == release:
                yield kind, f"{resource.path(namespace)}/{item['metadata']['name']}", item


def _scale(
    cluster: ScalableCluster, path: str, item: dict[str, Any], *, replicas: int, remembered: str | None
) -> None:
    metadata = {
        "resourceVersion": item["metadata"]["resourceVersion"],
        "annotations": {REMEMBERED: remembered},
    }
    cluster.patch(path, {"metadata": metadata, "spec": {"replicas": replicas}}, manager=MANAGER)


def _annotations(item: dict[str, Any]) -> dict[str, str]:
    annotations: dict[str, str] = item["metadata"].get("annotations") or {}
    return annotations
