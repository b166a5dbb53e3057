"""What is asked of the nodes, in parts: what runs already, each component, each environment.

Parts are lists of pods for the engine's simulation of the scheduler. What is in the cluster counts as
it runs; a component that is not installed yet counts as its chart was sized, an environment as its chart
renders.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from todo_cluster.application import ApplicationEnvironment
from todo_cluster.site import Site
from todo_release.adapters.kubernetes.api_resources import NODES, PODS
from todo_release.adapters.kubernetes.manifest import RenderedManifest, RenderedObject
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.preflight.scheduling import pod_requirements
from todo_release.preflight.scheduling.resources import NodeCapacity, PodRequirements, ResourceAmount

COMPONENT_LABEL = "todo-cluster/component"
RELOADER_REQUEST = re.compile(r"--config-reloader-(cpu|memory)-request=(\S+)")
OPERATED_KINDS = ("Prometheus", "Alertmanager")  # the Prometheus operator makes pods of them
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


@dataclass(frozen=True, slots=True)
class Workload:
    """Equal pods; `replicas` None is one on each node. `surge` is how many more run during a rollout."""

    name: str
    pod: PodRequirements
    replicas: int | None
    surge: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of what is asked for: workloads that come, or pods that run on nodes already."""

    name: str
    workloads: tuple[Workload, ...] = ()
    running: tuple[tuple[str, PodRequirements], ...] = ()


def nodes_of(site: Site) -> list[NodeCapacity]:
    """Returns the nodes of the cluster; before there is one, those that cluster.yaml asks for at least."""
    if site.access:
        return [pod_requirements.node_capacity(node) for node in site.cluster.items(NODES.path())]
    pool = site.config.digitalocean.pool if site.config.digitalocean else None
    nodes = []
    for group in site.release.rehearsal.nodes:
        for number in range(1, (pool.min_nodes if pool else group.count) + 1):
            name = f"{group.prefix}-{number}"
            amounts = {**group.capacity, **group.allocatable}
            labels = {**group.labels, "kubernetes.io/hostname": name}
            raw = {
                "metadata": {"name": name, "labels": labels},
                "spec": {},
                "status": {"allocatable": amounts},
            }
            nodes.append(pod_requirements.node_capacity(raw))
    return nodes


def running_part(site: Site, waiting: Sequence[str]) -> Part:
    """Returns what runs in the cluster and stays: all but environments and components that are yet to do.

    Before there is a cluster it is what the provider runs on the nodes.
    """
    if not site.access:
        return Part("provider's own pods", tuple(_provider_workloads(site)))
    declared = {
        (name, item["metadata"]["namespace"], item["metadata"]["name"]) for name, item in _declared(site)
    }
    todo = {(namespace, name) for component, namespace, name in declared if component in waiting}
    own = {site.config.components[name].namespace for name in waiting} - {"kube-system"}
    excluded = own | set(site.namespaces.values())
    running = []
    for pod in site.cluster.items(PODS.path()):
        namespace, owner = pod["metadata"]["namespace"], pod["metadata"]["name"]
        is_todo = namespace in excluded or any(
            namespace == there and owner.startswith(f"{name}-") for there, name in todo
        )
        if pod_requirements.occupies_node(pod) and not is_todo:
            running.append((pod["spec"]["nodeName"], pod_requirements.of_live_pod(pod)))
    return Part("running already", running=tuple(running))


def component_parts(site: Site, waiting: Sequence[str]) -> Iterator[Part]:
    """Yields a part for each component that is to be installed, as its chart was sized."""
    priorities = _priorities(site)
    found: dict[str, list[Workload]] = {name: [] for name in waiting}
    for component, item in _declared(site):
        if component in found:
            found[component].append(_workload(item, item["metadata"]["namespace"], (), priorities))
    for name, workloads in found.items():
        yield Part(name, tuple(workloads))


def chart_part(site: Site, name: str, namespace: str, manifest: RenderedManifest) -> Part:
    """Returns the part of a rendered chart; pods that Prometheus' operator makes of its objects are in it."""
    workloads = [
        _workload(item.body, namespace, (), _priorities(site), manifest)
        for item in manifest.of_kind(*WORKLOADS)
    ]
    reloader = reloader_request(manifest)
    for item in manifest.of_kind(*OPERATED_KINDS):
        own = pod_requirements.resource_amount((item.spec.get("resources") or {}).get("requests"))
        request = own + reloader
        pod = PodRequirements(owner=item.subject, namespace=namespace, request=request)
        workloads.append(Workload(item.subject, pod, int(item.spec.get("replicas", 1))))
    return Part(name, tuple(workloads))


def reloader_request(manifest: RenderedManifest) -> ResourceAmount:
    """Returns what the container requests that Prometheus' operator adds to each pod, by its arguments."""
    arguments = " ".join(
        str(argument)
        for template in manifest.pods()
        for _, container in template.containers()
        for argument in container.get("args") or ()
    )
    return pod_requirements.resource_amount(dict(RELOADER_REQUEST.findall(arguments)))


def environment_parts(site: Site) -> Iterator[Part]:
    """Yields a part for each environment: the pods of its chart at the replicas that it starts with."""
    objects = [item for file in site.config.manifests for item in site.objects(file)]
    for name, environment in site.release.environments.items():
        manifest = ApplicationEnvironment(site.root, site.release, name).manifest
        ranges = [
            item
            for item in objects
            if item["kind"] == "LimitRange" and item["metadata"].get("namespace") == environment.namespace
        ]
        workloads = [
            _workload(item.body, environment.namespace, ranges, _priorities(site), manifest)
            for item in manifest.of_kind(*WORKLOADS)
        ]
        yield Part(name, tuple(workloads))


def request_of(part: Part, nodes: int) -> tuple[int, ResourceAmount]:
    """Returns how many pods a part has, and what they request together."""
    pods, total = len(part.running), sum((pod.request for _, pod in part.running), ResourceAmount())
    for workload in part.workloads:
        count = nodes if workload.replicas is None else workload.replicas
        pods += count
        total += ResourceAmount(workload.pod.request.cpu * count, workload.pod.request.memory * count)
    return pods, total


def _declared(site: Site) -> Iterator[tuple[str, JsonObject]]:
    """Yields the workloads that the charts make, with their components."""
    for item in site.objects(site.config.workloads) if site.config.workloads else ():
        component = (item["metadata"].get("labels") or {}).get(COMPONENT_LABEL)
        if component and item["kind"] in WORKLOADS:
            yield component, item


def _priorities(site: Site) -> dict[str, JsonObject]:
    objects = (item for file in site.config.manifests for item in site.objects(file))
    return {item["metadata"]["name"]: item for item in objects if item["kind"] == "PriorityClass"}


def _provider_workloads(site: Site) -> Iterator[Workload]:
    for workload in site.release.rehearsal.workloads:
        request = pod_requirements.resource_amount(workload.requests)
        pod = PodRequirements(
            owner=f"{workload.kind}/{workload.name}", namespace="kube-system", request=request
        )
        yield Workload(pod.owner, pod, None if workload.kind == "DaemonSet" else workload.replicas)


def _workload(
    body: JsonObject,
    namespace: str,
    limit_ranges: Sequence[JsonObject],
    priorities: Mapping[str, JsonObject],
    manifest: RenderedManifest | None = None,
) -> Workload:
    item = RenderedObject(body)
    [template] = RenderedManifest((item,)).pods()
    pod = pod_requirements.of_template(template, namespace, limit_ranges, priorities)
    if item.kind == "DaemonSet":
        return Workload(item.subject, pod, None)
    strategy = item.spec.get("strategy") or {}
    surges = item.kind == "Deployment" and strategy.get("type") != "Recreate"
    return Workload(item.subject, replace(pod, owner=item.subject), _replicas(item, manifest), int(surges))


def _replicas(item: RenderedObject, manifest: RenderedManifest | None) -> int:
    """Returns the replicas of a workload; without a number of its own those of its autoscaler."""
    if "replicas" in item.spec:
        return int(item.spec["replicas"])
    for autoscaler in manifest.of_kind("HorizontalPodAutoscaler") if manifest else ():
        target = autoscaler.spec["scaleTargetRef"]
        if (target["kind"], target["name"]) == (item.kind, item.name):
            return int(autoscaler.spec.get("minReplicas", 1))
    return 1
