"""Waits until workloads are ready; when they do not become so, says what their pods and events say."""

from collections.abc import Iterable, Iterator

from todo_cluster.errors import BootstrapError
from todo_cluster.site import Site
from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, Workload, WorkloadRef
from todo_release.core.masking import mask_log

POLL_SECONDS = 2.0
MAX_LINES = 8


def unready(site: Site, namespace: str, refs: Iterable[WorkloadRef]) -> list[str]:
    """Returns the workloads that are missing or not ready, by name."""
    wanted = [ref for ref in refs if not ref.is_hook]
    return _unready(site.cluster.snapshot(namespace, wanted), wanted)


def wait_until_ready(site: Site, namespace: str, refs: Iterable[WorkloadRef], seconds: float) -> None:
    """Returns when all workloads are ready.

    Raises:
        BootstrapError: They are not, after so many seconds; it says why, as far as the cluster does.
    """
    wanted = [ref for ref in refs if not ref.is_hook]
    deadline = site.clock.now() + seconds
    while True:
        snapshot = site.cluster.snapshot(namespace, wanted)
        missing = _unready(snapshot, wanted)
        if not missing:
            return
        if site.clock.now() >= deadline:
            reasons = list(dict.fromkeys(_reasons(snapshot)))[:MAX_LINES]
            raise BootstrapError(
                f"Not ready after {seconds:.0f} s in {namespace}: {', '.join(missing)}."
                + "".join(f"\n    {reason}" for reason in reasons),
                remedy="Correct what the pods say, then run `inv bootstrap` again: it continues from here.",
            )
        site.clock.sleep(POLL_SECONDS)


def _unready(snapshot: NamespaceSnapshot, refs: Iterable[WorkloadRef]) -> list[str]:
    found = snapshot.workloads
    return [str(ref) for ref in refs if ref not in found or not found[ref].is_ready]


def _reasons(snapshot: NamespaceSnapshot) -> Iterator[str]:
    """Yields what conditions, containers and events say about what is not ready."""
    for workload in snapshot.workloads.values():
        if not workload.is_ready:
            yield from _workload_reasons(snapshot, workload)
    for event in snapshot.events:
        if event.type == "Warning":
            yield mask_log(f"{event.kind}/{event.name}: {event.reason}: {event.message}")


def _workload_reasons(snapshot: NamespaceSnapshot, workload: Workload) -> Iterator[str]:
    for condition in workload.conditions:
        if not condition.is_true and condition.message:
            yield f"{workload.ref}: {condition.type}: {condition.message}"
    for pod in snapshot.pods_of(workload):
        for container in pod.containers:
            if not container.is_ready and container.state.reason:
                yield mask_log(
                    f"pod {pod.name}, {container.name}: {container.state.reason} {container.state.message}"
                )
        scheduled = pod.condition("PodScheduled")
        if scheduled and not scheduled.is_true:
            yield f"pod {pod.name}: {scheduled.message}"
