"""Rules that the configuration must keep, checked before anything is changed. Pure.

Each one was once broken here, and nothing failed: pods that no node is ever added for, containers whose
requests no sum contains, replicas that all land on one node.
"""

from collections.abc import Iterable, Iterator, Set
from typing import Any

from todo_cluster.sizing.sizes import OPERATED_KINDS, reloader_request
from todo_release.adapters.kubernetes.manifest import RenderedManifest
from todo_release.adapters.kubernetes.objects import EXPENDABLE_PRIORITY, JsonObject

HOSTNAME = "kubernetes.io/hostname"


def expendable_priorities(objects: Iterable[JsonObject]) -> Iterator[str]:
    """Yields the priorities for whose pods the cluster autoscaler adds no node and keeps none."""
    for item in objects:
        if item["kind"] == "PriorityClass" and int(item["value"]) < EXPENDABLE_PRIORITY:
            yield (
                f"PriorityClass {item['metadata']['name']} has the value {item['value']}: below "
                f"{EXPENDABLE_PRIORITY} the cluster autoscaler adds no node for a pod that waits, and keeps "
                f"none for one that runs. Use a value from {EXPENDABLE_PRIORITY} to -1."
            )


def missing_requests(component: str, manifest: RenderedManifest) -> Iterator[str]:
    """Yields the containers of a component that request no CPU or no memory: no sum contains them."""
    for template in manifest.pods():
        if template.owner.hooks:
            continue
        for _, container in template.containers():
            requests = (container.get("resources") or {}).get("requests") or {}
            if missing := [name for name in ("cpu", "memory") if name not in requests]:
                if _is_short_lived(container, template.spec):
                    continue
                yield (
                    f"{component}: container {container['name']} of {template.owner.subject} requests no "
                    f"{' and no '.join(missing)}. Set its resources in the component's values."
                )
    operated = manifest.of_kind(*OPERATED_KINDS)
    reloader = reloader_request(manifest)
    if operated and not (reloader.cpu and reloader.memory):
        yield f"{component}: the config-reloader beside {operated[0].subject} requests nothing."
    for item in operated:
        if not (item.spec.get("resources") or {}).get("requests"):
            yield f"{component}: {item.subject} requests nothing. Set its resources in the values."


def unknown_topologies(component: str, manifest: RenderedManifest, labels: Set[str]) -> Iterator[str]:
    """Yields the workloads whose replicas are spread by a label that no node has: they are not spread."""
    for template in manifest.pods():
        for key in sorted(_topology_keys(template.spec) - labels - {HOSTNAME}):
            yield (
                f"{component}: {template.owner.subject} spreads its pods by the node label {key}, which no "
                f"node has: they may all share one node. Use {HOSTNAME}."
            )


def _is_short_lived(container: JsonObject, spec: JsonObject) -> bool:
    """Returns whether a container ends before the pod runs: the pod's own containers request more."""
    return container in (spec.get("initContainers") or ()) and container.get("restartPolicy") != "Always"


def _topology_keys(spec: JsonObject) -> set[str]:
    keys = {item["topologyKey"] for item in spec.get("topologySpreadConstraints") or ()}
    for name in ("podAffinity", "podAntiAffinity"):
        affinity = (spec.get("affinity") or {}).get(name) or {}
        terms: list[Any] = list(affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ())
        weighted = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [item["podAffinityTerm"] for item in weighted]
        keys |= {term["topologyKey"] for term in terms}
    return keys
