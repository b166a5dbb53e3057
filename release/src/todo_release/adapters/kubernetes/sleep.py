"""Scales the workloads of a Helm release to zero and back, and remembers how many replicas each had.

The number is an annotation of the workload and is written together with the scale, in one request. An
autoscaler does nothing while its target has no replicas, and goes on when it has some again; disruption
budgets only concern evictions. Changes of this manager are not edits by hand (`managed_fields`).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from todo_release.adapters.kubernetes.api_resources import DEPLOYMENTS, LEASES, STATEFUL_SETS, Resource
from todo_release.adapters.kubernetes.client import ApiConflictError
from todo_release.errors import ClusterError

MANAGER = "release-engine-sleep"
REMEMBERED = "sleep.release-engine.dev/replicas"
LOCK = "release-lock"  # the Lease of `environments.lock`
TRIES = 5
RELEASE_NAME = "meta.helm.sh/release-name"  # how Helm marks what it owns
SCALED: Mapping[str, Resource] = {"Deployment": DEPLOYMENTS, "StatefulSet": STATEFUL_SETS}


class ScalableCluster(Protocol):
    """What scaling needs of a cluster (`todo_release.adapters.kubernetes.client.Cluster`)."""

    def read(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Returns what the server has at a path; None when nothing is there."""

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Any]:
        """Returns the items of a list."""

    def patch(self, path: str, body: dict[str, Any], *, manager: str) -> Any:
        """Merges fields into an object."""


def put_to_sleep(cluster: ScalableCluster, namespace: str, release: str) -> dict[str, int]:
    """Scales every workload of a release to zero; returns how many replicas each had, by `Kind/name`.

    One without replicas is left as it is, so calling it again changes nothing. One that was scaled up while
    it slept, without `wake`, sleeps again and remembers what it has now.

    Raises:
        ApiConflictError: Somebody changed a workload at the same moment.
        ClusterError: The API server did not answer or refused.
    """
    return _scale_all(cluster, namespace, release, SCALED, _asleep)


def wake(
    cluster: ScalableCluster, namespace: str, release: str, kinds: Iterable[str] = SCALED
) -> dict[str, int]:
    """Gives every sleeping workload its replicas back; returns how many, by `Kind/name`.

    One that somebody scaled up meanwhile keeps what it has. Only workloads of these `kinds` are looked for.

    Raises:
        ApiConflictError: Somebody changed a workload at the same moment.
        ClusterError: The API server did not answer or refused, or what a workload remembers is no number.
    """
    return _scale_all(cluster, namespace, release, kinds, _awake)


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


def _scale_all(
    cluster: ScalableCluster, namespace: str, release: str, kinds: Iterable[str], change: "Change"
) -> dict[str, int]:
    scaled = {}
    for kind in kinds:
        collection = SCALED[kind].path(namespace)
        for item in cluster.items(collection):
            name = item["metadata"]["name"]
            if _annotations(item).get(RELEASE_NAME) == release:
                replicas = _scale(cluster, f"{collection}/{name}", item, change)
                if replicas is not None:
                    scaled[f"{kind}/{name}"] = replicas
    return scaled


def _scale(cluster: ScalableCluster, path: str, item: Any, change: "Change") -> int | None:
    """Scales one workload and returns what is to be told of it; None when it is as it should be.

    Controllers write into its status all the time, so a conflict is answered by reading it again.
    """
    tries = 0
    while item is not None and (wanted := change(item)):
        tries += 1
        metadata = {
            "resourceVersion": item["metadata"]["resourceVersion"],
            "annotations": {REMEMBERED: wanted.remembered},
        }
        body = {"metadata": metadata, "spec": {"replicas": wanted.replicas}}
        try:
            cluster.patch(path, body, manager=MANAGER)
        except ApiConflictError:
            if tries == TRIES:
                raise
            item = cluster.read(path)
        else:
            return wanted.told
    return None


class ScaleChange(NamedTuple):
    """What a workload gets: its replicas, the number to remember, and the number to tell."""

    replicas: int
    remembered: str | None
    told: int


Change = Callable[[Any], ScaleChange | None]


def _asleep(item: Any) -> ScaleChange | None:
    replicas = item["spec"].get("replicas", 1)
    if not replicas:
        return None
    return ScaleChange(0, str(replicas), replicas)


def _awake(item: Any) -> ScaleChange | None:
    remembered = _annotations(item).get(REMEMBERED)
    if remembered is None:
        return None
    replicas = item["spec"].get("replicas", 1) or _remembered(item, remembered)
    return ScaleChange(replicas, None, replicas)


def _remembered(item: Any, text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,5}", text):
        name = item["metadata"]["name"]
        raise ClusterError(
            f"{name} cannot be woken: its annotation {REMEMBERED} is {text!r} and no number of replicas.",
            remedy=f"Write the number with `kubectl annotate --overwrite`, or scale {name} up by hand.",
        )
    return int(text)


def _annotations(item: Any) -> dict[str, str]:
    annotations: dict[str, str] = item["metadata"].get("annotations") or {}
    return annotations
