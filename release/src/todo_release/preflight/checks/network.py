"""Checks the way of a request: host, address, certificate, longest path, Service, port, pods.

The way is said by Ingress objects or by the Gateway API; `public_routes` reads both.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from todo_release.adapters.kubernetes.api_resources import (
    CERTIFICATES,
    INGRESSES,
    PODS,
    SECRETS,
    SERVICES,
)
from todo_release.adapters.kubernetes.manifest import PodTemplate, RenderedObject
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.kubernetes.selectors import selects
from todo_release.core.yaml_positions import YamlPath
from todo_release.preflight.check import PreflightCheck
from todo_release.preflight.checks.certificates import certificates_are_valid
from todo_release.preflight.finding import Finding, Findings, error, warning
from todo_release.preflight.public_routes import (
    Backend,
    PublicRoute,
    has_regular_expressions,
    hosts,
    paths_of,
    public_routes,
)
from todo_release.preflight.snapshot import PreflightSnapshot

GROUPS_WITHOUT_PODS = (
    "dapr.io",
    "cert-manager.io",
    "monitoring.coreos.com",
    "external-secrets.io",
    "bitnami.com",
)


def _may_make_pods(rendered: RenderedObject) -> bool:
    """Returns whether an operator may make pods of an object, with labels that are not known here."""
    group = rendered.api_version.rpartition("/")[0]
    return "." in group and not group.endswith(".k8s.io") and group not in GROUPS_WITHOUT_PODS


def _services_select_pods(snapshot: PreflightSnapshot) -> Findings:
    for service in snapshot.manifest.of_kind("Service"):
        selector = service.spec.get("selector")
        if not selector:
            continue
        templates = [
            template for template in snapshot.manifest.pods() if selector.items() <= template.labels.items()
        ]
        if not templates:
            selects_live_pod = any(
                selects({"matchLabels": selector}, _labels_of(pod)) for pod in snapshot.in_namespace(PODS)
            )
            may_be_selected = selects_live_pod or any(map(_may_make_pods, snapshot.manifest.objects))
            finding = warning if may_be_selected else error
            labels = ", ".join(f"{key}={value}" for key, value in selector.items())
            yield finding(
                service.subject,
                f"It selects the labels {labels}, which no pod of the chart has.",
                "Correct the selector, or the labels of the pods.",
                ("spec", "selector"),
            )
        yield from _missing_target_ports(service, templates)


def _missing_target_ports(service: RenderedObject, templates: list[PodTemplate]) -> Iterator[Finding]:
    for index, port in enumerate(service.spec.get("ports") or ()):
        target = port.get("targetPort", port["port"])
        for template in templates:
            names = _port_names(template)
            if isinstance(target, str) and target not in names:
                yield error(
                    service.subject,
                    f"Its port {port['port']} leads to {target!r}, and {template.owner.subject} has no port "
                    "of that name.",
                    f"Use one of: {', '.join(names) or 'no port has a name'}.",
                    ("spec", "ports", index, "targetPort"),
                )


def _labels_of(pod: JsonObject) -> Mapping[str, str]:
    return pod["metadata"].get("labels") or {}


def _port_names(template: PodTemplate) -> list[str]:
    return [
        port["name"]
        for _, container in template.containers()
        for port in container.get("ports") or ()
        if "name" in port
    ]


def _backends_exist(snapshot: PreflightSnapshot) -> Findings:
    for route in public_routes(snapshot.manifest):
        for backend in route.path.backends:
            yield from _backend_findings(snapshot, route, backend)


def _backend_findings(snapshot: PreflightSnapshot, route: PublicRoute, backend: Backend) -> Iterator[Finding]:
    rendered = snapshot.manifest.find("Service", backend.service)
    spec = rendered.spec if rendered else (snapshot.find(SERVICES, backend.service) or {}).get("spec")
    if spec is None:
        yield error(
            route.owner.subject,
            f"It sends requests to Service {backend.service}, which does not exist.",
            "Correct the name of the backend.",
            route.path.field,
        )
        return
    offered = [offer.get(key) for offer in spec.get("ports") or () for key in ("name", "port")]
    if backend.port is not None and backend.port not in offered:
        yield error(
            route.owner.subject,
            f"It sends requests to port {backend.port} of Service {backend.service}, which has no such port.",
            f"Use one of: {', '.join(str(known) for known in offered if known)}.",
            route.path.field,
        )


def _paths_reach_their_image(snapshot: PreflightSnapshot) -> Findings:
    """Checks that each public path reaches the image that serves it: `/api` must not take `/api/auth`."""
    routes: dict[tuple[str, str], PublicRoute] = {}
    for route in public_routes(snapshot.manifest):
        path = route.path
        first = routes.setdefault((path.host, path.path), route)
        if first.path.services != path.services:
            yield error(
                route.owner.subject,
                f"{path.host}{path.path} leads to {path.leads_to}, and in "
                f"{first.owner.subject} to {first.path.leads_to}.",
                "Keep one of the two.",
                path.field,
            )
    if has_regular_expressions(snapshot.manifest):
        return
    for image, public_path in _public_paths(snapshot):
        serving = _services_of(snapshot, image)
        for host in sorted({host for host, _ in routes}):
            taking = [
                route
                for route in routes.values()
                if route.path.host == host and route.path.takes(public_path)
            ]
            if not taking or not serving:
                continue
            longest = max(taking, key=lambda route: len(route.path.path))
            if not longest.path.services or not serving.issuperset(longest.path.services):
                yield error(
                    longest.owner.subject,
                    f"{host}{public_path} belongs to {image}, but its longest path, {longest.path.path}, "
                    f"leads to {longest.path.leads_to}.",
                    f"Add a longer path that leads to {' or '.join(sorted(serving))}.",
                    longest.path.field,
                )


def _public_paths(snapshot: PreflightSnapshot) -> Iterator[tuple[str, str]]:
    """Yields (image, path) of every route in release.yaml and every path of a contract."""
    for name, image in snapshot.config.images.items():
        contract = snapshot.contracts.get(name, {})
        yield from ((name, path) for path in (*image.routes, *(contract.get("paths") or ())))


def _services_of(snapshot: PreflightSnapshot, image: str) -> set[str]:
    """Returns the Services whose pods run an image."""
    repository = snapshot.config.registry.reference(image)
    templates = [
        template
        for template in snapshot.manifest.pods()
        if template.owner.kind != "Job"
        and any(
            _repository(str(container.get("image", ""))) == repository
            for _, container in template.containers()
        )
    ]
    return {
        service.name
        for service in snapshot.manifest.of_kind("Service")
        for template in templates
        if service.spec.get("selector")
        and selects({"matchLabels": service.spec["selector"]}, template.labels)
    }


def _repository(image: str) -> str:
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def _hosts_resolve(snapshot: PreflightSnapshot) -> Findings:
    """Checks that hosts resolve to the load balancer, unless smoke checks connect to another address."""
    if snapshot.config.smoke_of(snapshot.environment).connect_to:
        return
    balancer = _balancer_addresses(snapshot)
    for owner, field, host in hosts(snapshot.manifest):
        addresses = snapshot.addresses.get(host)
        if not host or host.startswith("*") or addresses is None:
            continue
        if not addresses:
            # A tool such as external-dns may make the record once the Ingress is there.
            finding = error if _is_served_now(snapshot, owner, host) else warning
            yield finding(
                owner.subject,
                f"{host} has no address: nobody reaches it, and no certificate can be issued for it.",
                f"Create a DNS record for it{f' with {balancer[0]}' if balancer else ''}.",
                field,
            )
        elif balancer and not set(balancer) & set(addresses):
            yield warning(
                owner.subject,
                f"{host} is {', '.join(addresses)}, the load balancer is {', '.join(balancer)}.",
                "Correct the DNS record, unless a proxy is in front of the load balancer.",
                field,
            )


def _balancer_addresses(snapshot: PreflightSnapshot) -> list[str]:
    """Returns the load balancer's addresses: of the live Ingresses or Gateways, else of the controller."""
    if gateways := snapshot.manifest.of_kind("Gateway"):
        lives = [live for gateway in gateways if (live := snapshot.live_of(gateway))]
        entries = [entry for live in lives for entry in (live.get("status") or {}).get("addresses") or ()]
        return sorted({entry["value"] for entry in entries if entry.get("type", "IPAddress") == "IPAddress"})
    names = {ingress.name for ingress in snapshot.manifest.of_kind("Ingress")}
    ingresses = [
        ingress for ingress in snapshot.in_namespace(INGRESSES) if ingress["metadata"]["name"] in names
    ]
    addresses = _status_addresses(ingresses)
    if not addresses:
        controllers = [
            service
            for service in snapshot.in_cluster(SERVICES)
            if service["spec"].get("type") == "LoadBalancer" and "ingress" in service["metadata"]["name"]
        ]
        addresses = _status_addresses(controllers)
    return addresses


def _status_addresses(objects: list[JsonObject]) -> list[str]:
    entries = [
        entry
        for live in objects
        for entry in ((live.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    ]
    return sorted({entry["ip"] for entry in entries if "ip" in entry})


def _node_ports_are_free(snapshot: PreflightSnapshot) -> Findings:
    """Checks node ports against all namespaces, because the cluster has each only once."""
    wanted: dict[int, tuple[RenderedObject, YamlPath]] = {}
    for service in snapshot.manifest.of_kind("Service"):
        for index, port in enumerate(service.spec.get("ports") or ()):
            if "nodePort" in port:
                wanted[port["nodePort"]] = (service, ("spec", "ports", index, "nodePort"))
    if not wanted:
        return
    for live in snapshot.in_cluster(SERVICES):
        namespace, name = live["metadata"].get("namespace"), live["metadata"]["name"]
        for port in live["spec"].get("ports") or ():
            rendered_and_field = wanted.get(port.get("nodePort", 0))
            if rendered_and_field is None:
                continue
            rendered, field = rendered_and_field
            if (namespace, name) != (snapshot.namespace, rendered.name):
                yield error(
                    rendered.subject,
                    f"The node port {port['nodePort']} is taken by Service {namespace}/{name}.",
                    "Give it another one, or none: behind an Ingress no Service needs a node port.",
                    field,
                )


def _is_served_now(snapshot: PreflightSnapshot, owner: RenderedObject, host: str) -> bool:
    live = snapshot.live_of(owner)
    return live is not None and any(path.host == host for path in paths_of({**live, "kind": owner.kind}))


def _hosts_are_free(snapshot: PreflightSnapshot) -> Findings:
    """Checks that no other namespace has the same host and path, which the controller refuses or merges.

    An HTTPRoute without a host has those of its Gateway, which need not be the other's.
    """
    routes = [
        route
        for route in public_routes(snapshot.manifest)
        if route.path.host or route.owner.kind == "Ingress"
    ]
    for resource in sorted({route.owner.resource for route in routes}):
        wanted = {
            (route.path.host, route.path.path): route for route in routes if route.owner.resource == resource
        }
        for live in snapshot.in_cluster(resource):
            namespace = live["metadata"].get("namespace")
            if namespace == snapshot.namespace:
                continue
            kind = next(iter(wanted.values())).owner.kind
            for path in paths_of({**live, "kind": kind}):
                route = wanted.get((path.host, path.path))
                if route and _class_of(route.owner.spec) == _class_of(live["spec"]):
                    yield error(
                        route.owner.subject,
                        f"{path.host}{path.path} is already served by {kind} {namespace}/"
                        f"{live['metadata']['name']}.",
                        f"Use another host, or delete the other {kind}.",
                        route.path.field,
                    )


def _class_of(spec: Mapping[str, Any]) -> str:
    """Returns the Ingress class; empty for an HTTPRoute, whose Gateways may share one load balancer."""
    return str(spec.get("ingressClassName", ""))


CHECK = PreflightCheck(
    id="network",
    title="requests reach their pods",
    needs=(SERVICES, INGRESSES, PODS, SECRETS, CERTIFICATES),
    rules=(
        _services_select_pods, _backends_exist, _paths_reach_their_image, _hosts_resolve,
        certificates_are_valid, _node_ports_are_free, _hosts_are_free,
    ),
)  # fmt: skip
