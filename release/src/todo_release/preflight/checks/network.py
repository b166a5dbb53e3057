"""A request finds its way: name to address, certificate, the longest path, the Service, the port, the
pods.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from todo_release.adapters.kubernetes.manifest import PodTemplate, Rendered
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.kubernetes.selectors import selects
from todo_release.core.yaml_positions import Path
from todo_release.preflight.check import Check
from todo_release.preflight.checks.certificates import certificates_are_good
from todo_release.preflight.finding import Findings, error, warning
from todo_release.preflight.snapshot import (
    CERTIFICATES,
    INGRESSES,
    PODS,
    SECRETS,
    SERVICES,
    PreflightSnapshot,
)

REGEX = "nginx.ingress.kubernetes.io/use-regex"


def _services_find_pods(snapshot: PreflightSnapshot) -> Findings:
    for service in snapshot.manifest.of_kind("Service"):
        selector = service.spec.get("selector")
        if not selector:
            continue
        behind = [one for one in snapshot.manifest.pods() if selector.items() <= one.labels.items()]
        if not behind:
            is_foreign = any(
                selects({"matchLabels": selector}, _labels_of(pod)) for pod in snapshot.own(PODS)
            )
            say = warning if is_foreign else error
            yield say(
                service.subject,
                f"No pod of the chart has the labels {_labels(selector)} that it selects.",
                "Correct the selector, or the labels of the pods.",
                ("spec", "selector"),
            )
        for index, port in enumerate(service.spec.get("ports") or ()):
            target = port.get("targetPort", port["port"])
            for template in behind:
                if isinstance(target, str) and target not in _port_names(template):
                    yield error(
                        service.subject,
                        f"Its port {port['port']} leads to {target!r}, and {template.owner.subject} has no"
                        " port of"
                        " that name.",
                        f"Use one of: {', '.join(_port_names(template)) or 'none is named'}.",
                        ("spec", "ports", index, "targetPort"),
                    )


def _labels_of(pod: JsonObject) -> Mapping[str, str]:
    return pod["metadata"].get("labels") or {}


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items())


def _port_names(template: PodTemplate) -> list[str]:
    return [
        port["name"] for _, one in template.containers() for port in one.get("ports") or () if "name" in port
    ]


def _backends_exist(snapshot: PreflightSnapshot) -> Findings:
    for ingress in snapshot.manifest.of_kind("Ingress"):
        for field, _, _, backend in _paths(ingress):
            name = backend.get("name")
            if name is None:
                continue
            made = snapshot.manifest.find("Service", name)
            spec = made.spec if made else (snapshot.find(SERVICES, name) or {}).get("spec")
            if spec is None:
                yield error(
                    ingress.subject,
                    f"It sends requests to Service {name}, which does not exist.",
                    "Correct the name of the backend.",
                    field,
                )
                continue
            port = backend.get("port") or {}
            wanted = port.get("name", port.get("number"))
            offered = [one.get(key) for one in spec.get("ports") or () for key in ("name", "port")]
            if wanted is not None and wanted not in offered:
                yield error(
                    ingress.subject,
                    f"It sends requests to port {wanted} of Service {name}, which has no such port.",
                    f"Use one of: {', '.join(str(one) for one in offered if one)}.",
                    field,
                )


def _paths(ingress: Rendered) -> Iterator[tuple[Path, str, JsonObject, JsonObject]]:
    """(field, host, path, service) of every rule."""
    for number, rule in enumerate(ingress.spec.get("rules") or ()):
        for index, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            field = ("spec", "rules", number, "http", "paths", index)
            yield field, rule.get("host", ""), path, (path.get("backend") or {}).get("service") or {}


def _paths_lead_home(snapshot: PreflightSnapshot) -> Findings:
    """Each public path goes to the image that serves it: `/api` must not swallow `/api/auth`."""
    routes: dict[tuple[str, str], tuple[Rendered, Path, str]] = {}
    for ingress in snapshot.manifest.of_kind("Ingress"):
        for field, host, path, backend in _paths(ingress):
            place = (host, path.get("path") or "/")
            before = routes.setdefault(place, (ingress, field, str(backend.get("name"))))
            if before[2] != str(backend.get("name")):
                yield error(
                    ingress.subject,
                    f"{host}{place[1]} leads to {backend.get('name')}, and in {before[0].subject} to"
                    f" {before[2]}.",
                    "Keep one of the two.",
                    field,
                )
    if any(one.annotations.get(REGEX) == "true" for one in snapshot.manifest.of_kind("Ingress")):
        return  # what a regular expression takes is the controller's to say
    for image, route in _public_paths(snapshot):
        home = _services_of(snapshot, image)
        for host in sorted({host for host, _ in routes}):
            taken = _longest(route, [known for one, known in routes if one == host])
            if taken is None or not home:
                continue
            ingress, field, service = routes[host, taken]
            if service not in home:
                yield error(
                    ingress.subject,
                    f"{host}{route} belongs to {image}, but its longest path, {taken}, leads to {service}.",
                    f"Add a longer path that leads to {' or '.join(sorted(home))}.",
                    field,
                )


def _public_paths(snapshot: PreflightSnapshot) -> Iterator[tuple[str, str]]:
    for name, image in snapshot.config.images.items():
        contract = snapshot.contracts.get(name, {})
        yield from ((name, path) for path in (*image.routes, *(contract.get("paths") or ())))


def _services_of(snapshot: PreflightSnapshot, image: str) -> set[str]:
    """The Services in front of the pods that run an image."""
    repository = snapshot.config.registry.reference(image)
    pods = [
        template
        for template in snapshot.manifest.pods()
        if template.owner.kind != "Job"
        and any(_repository(str(one.get("image", ""))) == repository for _, one in template.containers())
    ]
    return {
        service.name
        for service in snapshot.manifest.of_kind("Service")
        for template in pods
        if service.spec.get("selector")
        and selects({"matchLabels": service.spec["selector"]}, template.labels)
    }


def _repository(image: str) -> str:
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def _longest(path: str, prefixes: list[str]) -> str | None:
    """The path that takes a request, as Kubernetes compares prefixes: whole parts, the longest first."""
    fitting = [one for one in prefixes if path == one or path.startswith(f"{one.rstrip('/')}/")]
    return max(fitting, key=len, default=None)


def _hosts_resolve(snapshot: PreflightSnapshot) -> Findings:
    """Whoever asks for the host must reach the load balancer; not asked where release.yaml connects
    elsewhere.
    """
    if snapshot.config.smoke_of(snapshot.environment).connect_to:
        return
    balancer = _balancer(snapshot)
    for ingress in snapshot.manifest.of_kind("Ingress"):
        for number, rule in enumerate(ingress.spec.get("rules") or ()):
            host, field = rule.get("host", ""), ("spec", "rules", number, "host")
            found = snapshot.addresses.get(host)
            if not host or host.startswith("*") or found is None:
                continue
            if not found:
                yield error(
                    ingress.subject,
                    f"{host} has no address: nobody reaches it, and no certificate can be issued for it.",
                    f"Make a DNS record for it{f' with {balancer[0]}' if balancer else ''}.",
                    field,
                )
            elif balancer and not set(balancer) & set(found):
                yield warning(
                    ingress.subject,
                    f"{host} is {', '.join(found)}, the load balancer is {', '.join(balancer)}.",
                    "Correct the DNS record, unless a proxy stands before the load balancer.",
                    field,
                )


def _balancer(snapshot: PreflightSnapshot) -> list[str]:
    """Addresses of the load balancer: what the live ingresses say, else the Service of the controller."""
    names = {one.name for one in snapshot.manifest.of_kind("Ingress")}
    ingresses = [one for one in snapshot.own(INGRESSES) if one["metadata"]["name"] in names]
    addresses = _addresses(ingresses)
    if not addresses:
        services = [one for one in snapshot.all(SERVICES) if one["spec"].get("type") == "LoadBalancer"]
        addresses = _addresses([one for one in services if "ingress" in one["metadata"]["name"]])
    return addresses


def _addresses(objects: list[JsonObject]) -> list[str]:
    entries = [
        entry
        for one in objects
        for entry in ((one.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    ]
    return sorted({entry["ip"] for entry in entries if "ip" in entry})


def _ports_are_free(snapshot: PreflightSnapshot) -> Findings:
    """A NodePort is the whole cluster's."""
    wanted: dict[int, tuple[Rendered, Path]] = {}
    for service in snapshot.manifest.of_kind("Service"):
        for index, port in enumerate(service.spec.get("ports") or ()):
            if "nodePort" in port:
                wanted[port["nodePort"]] = (service, ("spec", "ports", index, "nodePort"))
    if not wanted:
        return
    for live in snapshot.all(SERVICES):
        namespace, name = live["metadata"].get("namespace"), live["metadata"]["name"]
        for port in live["spec"].get("ports") or ():
            mine = wanted.get(port.get("nodePort", 0))
            if mine and (namespace, name) != (snapshot.namespace, mine[0].name):
                yield error(
                    mine[0].subject,
                    f"The node port {port['nodePort']} is taken by Service {namespace}/{name}.",
                    "Give it another one, or none: behind an Ingress no Service needs a node port.",
                    mine[1],
                )


def _hosts_are_free(snapshot: PreflightSnapshot) -> Findings:
    """The same host and path in another namespace: the controller refuses one, or mixes the two."""
    wanted: dict[tuple[str, str], tuple[Rendered, Path]] = {}
    for ingress in snapshot.manifest.of_kind("Ingress"):
        for field, host, path, _ in _paths(ingress):
            wanted[host, path.get("path") or "/"] = (ingress, field)
    if not wanted:
        return
    for live in snapshot.all(INGRESSES):
        namespace = live["metadata"].get("namespace")
        if namespace == snapshot.namespace:
            continue
        for rule in live["spec"].get("rules") or ():
            for path in (rule.get("http") or {}).get("paths") or ():
                mine = wanted.get((rule.get("host", ""), path.get("path") or "/"))
                if mine and _class(mine[0].spec) == _class(live["spec"]):
                    yield error(
                        mine[0].subject,
                        f"{rule.get('host', '')}{path.get('path') or '/'} is served by Ingress"
                        f" {namespace}/{live['metadata']['name']} already.",
                        "Use another host, or delete the other Ingress.",
                        mine[1],
                    )


def _class(spec: Mapping[str, Any]) -> str:
    return str(spec.get("ingressClassName", ""))


CHECK = Check(
    id="network",
    title="requests find their way",
    needs=(SERVICES, INGRESSES, PODS, SECRETS, CERTIFICATES),
    rules=(
        _services_find_pods, _backends_exist, _paths_lead_home, _hosts_resolve, certificates_are_good,
        _ports_are_free, _hosts_are_free,
    ),
)  # fmt: skip
