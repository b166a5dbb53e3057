"""Parses EndpointSlices: which pods a Service sends requests to."""

from collections.abc import Iterable
from dataclasses import dataclass

from todo_release.adapters.kubernetes.objects import JsonObject

SERVICE_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One pod behind a Service; `gets_requests` is false for a pod that is not ready or terminates.

    A terminating pod may still be `serving`; then it answers what an ingress sends it, and gets nothing from
    the Service unless all others are gone.
    """

    service: str
    pod: str
    pod_uid: str
    gets_requests: bool


def parse_endpoint_slices(slices: Iterable[JsonObject]) -> tuple[Endpoint, ...]:
    """Returns the endpoints that are pods; a condition that is not known counts as ready, as the API says."""
    found = []
    for raw in slices:
        service = (raw["metadata"].get("labels") or {}).get(SERVICE_LABEL, "")
        for entry in raw.get("endpoints") or ():
            target = entry.get("targetRef") or {}
            conditions = entry.get("conditions") or {}
            if target.get("kind") == "Pod":
                gets_requests = conditions.get("ready") is not False and not conditions.get("terminating")
                found.append(Endpoint(service, target.get("name", ""), target.get("uid", ""), gets_requests))
    return tuple(found)
