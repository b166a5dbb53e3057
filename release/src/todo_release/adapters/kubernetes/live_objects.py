"""Reads the live objects that a manifest describes: one list for each kind that it has several objects of."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

from todo_release.adapters.kubernetes.client import ApiRefusedError
from todo_release.adapters.kubernetes.objects import JsonObject

PARALLEL_READS = 8
FORBIDDEN = 403
# A namespace has many others of them, among them Helm's records of a megabyte each.
READ_ONE_BY_ONE = ("Secret", "ConfigMap")


class ObjectReader(Protocol):
    """What the reads need of a cluster (`todo_release.adapters.kubernetes.client.Cluster`)."""

    def live(self, wanted: JsonObject, namespace: str) -> Any:
        """Returns the live object that a rendered one describes; None when there is none."""

    def collection(self, wanted: JsonObject, namespace: str) -> str | None:
        """Returns the path of the list that an object is in; None where its kind is not served."""

    def items(self, path: str) -> list[Any]:
        """Returns the items of a list."""


def read_live_objects(cluster: ObjectReader, wanted: Sequence[JsonObject], namespace: str) -> list[Any]:
    """Returns the live object of each rendered one, None where there is none, in the same order.

    Raises:
        ClusterError: The API server was not reachable or refused.
    """
    groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for number, body in enumerate(wanted):
        own = body["metadata"].get("namespace", namespace)
        groups[body["apiVersion"], body["kind"], own].append(number)
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        bodies = [[wanted[number] for number in numbers] for numbers in groups.values()]
        found = pool.map(partial(_read_group, cluster, namespace), bodies)
        by_number = {
            number: live
            for numbers, group in zip(groups.values(), found, strict=True)
            for number, live in zip(numbers, group, strict=True)
        }
    return [by_number[number] for number in range(len(wanted))]


def _read_group(cluster: ObjectReader, namespace: str, group: Sequence[JsonObject]) -> list[Any]:
    """Reads objects of one kind in one namespace."""
    if len(group) > 1 and group[0]["kind"] not in READ_ONE_BY_ONE:
        path = cluster.collection(group[0], namespace)
        if path is None:
            return [None] * len(group)
        try:
            items = {item["metadata"]["name"]: item for item in cluster.items(path)}
        except ApiRefusedError as refusal:
            if refusal.status != FORBIDDEN:
                raise
        else:
            # The items of a list do not say their kind.
            kind = {key: group[0][key] for key in ("apiVersion", "kind")}
            return [
                {**kind, **item} if (item := items.get(body["metadata"].get("name"))) else None
                for body in group
            ]
    return [cluster.live(body, namespace) for body in group]
