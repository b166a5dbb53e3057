"""Applies objects on the server, and compares what is there with what would be applied."""

from typing import Any

from todo_cluster.errors import BootstrapError
from todo_cluster.site import MANAGER
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.object_diff import describe_changes
from todo_release.adapters.kubernetes.objects import JsonObject

# What the server itself writes.
SERVER_FIELDS = {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"}


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
