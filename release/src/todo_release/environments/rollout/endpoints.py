"""Waits until the Services of a release send requests to its new pods only.

A rollout counts as done as soon as the new pods are ready, and EndpointSlices follow a moment later. Old pods
that terminate are not waited for: Services send them nothing, and they may take minutes to finish what they
have.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from todo_release.adapters.kubernetes.client import ApiRefusedError
from todo_release.adapters.kubernetes.endpoints import Endpoint
from todo_release.adapters.kubernetes.manifest import (
    RenderedManifest,
    RenderedObject,
    parse_manifest,
    part_of,
)
from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, Pod, WorkloadRef
from todo_release.adapters.kubernetes.retry import retried
from todo_release.adapters.kubernetes.selectors import selects
from todo_release.core.clock import Clock, SystemClock
from todo_release.environments.rollout.drain import drain
from todo_release.environments.rollout.watcher import POLL_SECONDS, ClusterReader

ENDPOINTS_SECONDS = 60  # the controller needs a second or two; after a minute the smoke checks decide
FORBIDDEN = 403
SERVING_KINDS = ("Deployment", "StatefulSet", "DaemonSet")


class EndpointReader(ClusterReader, Protocol):
    """What the wait needs of a cluster (`todo_release.adapters.kubernetes.client.Cluster`)."""

    def endpoints(self, namespace: str) -> tuple[Endpoint, ...]:
        """Returns the pods behind every Service of the namespace."""


@dataclass(frozen=True, slots=True)
class _Service:
    """A Service of the release, with those workloads behind it whose pods a rollout replaces."""

    namespace: str
    name: str
    workloads: Mapping[WorkloadRef, RenderedObject]


def wait_for_endpoints(
    cluster: EndpointReader,
    namespace: str,
    manifest: str,
    *,
    on_wait: Callable[[str], None],
    clock: Clock | None = None,
) -> bool:
    """Waits until each Service of the manifest sends to new pods only; returns False if one never does.

    Services without a selector, or whose selector matches no workload of the manifest, are not waited for.
    Where EndpointSlices may not be read, old pods are waited for instead. `on_wait` gets a sentence that says
    what is missing, each time it changes.

    Raises:
        ClusterError: The API server refused, or was not reachable for as long as `retried` tries.
    """
    clock = clock or SystemClock()
    services = list(_services(parse_manifest(manifest), namespace))
    deadline = clock.now() + ENDPOINTS_SECONDS
    reported = ""
    while services:
        try:
            missing = retried(partial(_missing, cluster, namespace, services), clock=clock)
        except ApiRefusedError as refusal:
            if refusal.status != FORBIDDEN:
                raise
            on_wait(f"{refusal.problem} Old pods are waited for instead.")
            return drain(cluster, namespace, on_wait=on_wait, clock=clock)
        if not missing or clock.now() >= deadline:
            return not missing
        if missing != reported:
            reported = missing
            on_wait(missing)
        clock.sleep(POLL_SECONDS)
    return True


def _services(manifest: RenderedManifest, namespace: str) -> Iterator[_Service]:
    for service in manifest.of_kind("Service"):
        own = service.body["metadata"].get("namespace") or namespace
        selector = service.spec.get("selector") or {}
        owners = [
            template.owner
            for template in manifest.pods()
            if _is_replaced(template.owner)
            and (template.owner.body["metadata"].get("namespace") or namespace) == own
            and selector
            and selector.items() <= template.labels.items()
        ]
        workloads = {
            WorkloadRef(owner.kind, owner.name, "" if own == namespace else own): owner for owner in owners
        }
        if workloads:
            yield _Service(own, service.name, workloads)


def _is_replaced(workload: RenderedObject) -> bool:
    """Checks whether a rollout replaces all pods: not with OnDelete, nor those below a partition."""
    strategy = workload.spec.get("updateStrategy") or {}
    return (
        workload.kind in SERVING_KINDS
        and strategy.get("type") != "OnDelete"
        and not part_of(strategy, ("rollingUpdate", "partition"))
    )


def _missing(cluster: EndpointReader, namespace: str, services: Sequence[_Service]) -> str:
    """Returns what Services wait for; empty when all send to new pods only."""
    # Endpoints first, so that one whose pod is not in the snapshot is of a pod that is gone.
    names = {service.namespace for service in services}
    endpoints = {name: cluster.endpoints(name) for name in names}
    snapshot = cluster.snapshot(namespace, sorted({ref for service in services for ref in service.workloads}))
    found = (_missing_of(service, endpoints[service.namespace], snapshot) for service in services)
    return "; ".join(filter(None, found))


def _missing_of(service: _Service, endpoints: Sequence[Endpoint], snapshot: NamespaceSnapshot) -> str:
    workloads = [snapshot.workloads[ref] for ref in service.workloads if ref in snapshot.workloads]
    new = {pod.uid for workload in workloads for pod in snapshot.pods_of(workload)}
    pods = {pod.uid: pod for pod in snapshot.pods}
    reached = [
        endpoint for endpoint in endpoints if endpoint.service == service.name and endpoint.gets_requests
    ]
    old = sorted(
        endpoint.pod
        for endpoint in reached
        if endpoint.pod_uid not in new and _is_own(pods.get(endpoint.pod_uid), service)
    )
    if old:
        return f"Service/{service.name} still sends to old pods: {', '.join(old)}"
    is_expected = any(workload.desired for workload in workloads)
    if is_expected and not any(endpoint.pod_uid in new for endpoint in reached):
        return f"Service/{service.name} sends to no new pod yet"
    return ""


def _is_own(pod: Pod | None, service: _Service) -> bool:
    """Checks whether a pod is of the service's workloads; one that is gone already may have been."""
    return pod is None or any(
        selects(workload.spec.get("selector"), pod.labels) for workload in service.workloads.values()
    )
