"""Applies objects on the server, and compares what is there with what would be applied."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from todo_cluster.errors import BootstrapError
from todo_cluster.site import MANAGER
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.object_diff import describe_changes
from todo_release.adapters.kubernetes.objects import JsonObject

PARALLEL_READS = 6
# What the server itself writes.
SERVER_FIELDS = {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"}


def differences(cluster: Cluster, wanted: Sequence[JsonObject]) -> list[str]:
    """Returns what applying some objects would change, in a few words for each that differs."""
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        return [text for text in pool.map(lambda item: difference(cluster, item), wanted) if text]


def missing(cluster: Cluster, wanted: Sequence[JsonObject]) -> list[str]:
    """Returns which objects are not there, as `Deployment/web`."""
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        live = pool.map(lambda item: cluster.live(item, "default"), wanted)
        return [
            f"{item['kind']}/{item['metadata']['name']}"
            for item, found in zip(wanted, live, strict=True)
            if found is None
        ]


def difference(cluster: Cluster, wanted: JsonObject) -> str:
    """Returns in a few words what applying an object would change; empty when nothing."""
    subject = f"{wanted['kind']}/{wanted['metadata']['name']}"
    live = cluster.live(wanted, "default")
    if live is None:
        return f"{subject} is missing"
    changed = cluster.applied(wanted, "default", manager=MANAGER)
    lines = list(describe_changes(_essence(live), _essence(changed)))
    return f"{subject}: {lines[0]}" if lines else ""


def apply(cluster: Cluster, wanted: JsonObject) -> None:
    """Applies an object.

    Raises:
        BootstrapError: The cluster does not know its kind.
    """
    if cluster.apply(wanted, "default", manager=MANAGER) is None:
        raise BootstrapError(
            f"The cluster does not serve {wanted['apiVersion']} {wanted['kind']}.",
            remedy="A component that defines it comes later in cluster.yaml, or is missing.",
        )


def _essence(body: JsonObject) -> dict[str, Any]:
    """Returns an object without its status and what the server itself writes."""
    metadata = {key: value for key, value in body["metadata"].items() if key not in SERVER_FIELDS}
    return {**{key: value for key, value in body.items() if key != "status"}, "metadata": metadata}
