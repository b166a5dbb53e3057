"""Inert copies of a live cluster's webhooks and aggregated APIs: preflight sees them, nothing calls them.

Webhooks keep the fields that preflight reads, and get an object selector that matches nothing. The Services
they name are copied without endpoints of their own. An API that another server would answer becomes a custom
resource definition without objects.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from todo_embedded.controlplane.object_paths import KubeObject
from todo_release.adapters.kubernetes.api_resources import MUTATING_WEBHOOKS, SERVICES, VALIDATING_WEBHOOKS
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.preflight.cluster_reader import METRICS

WEBHOOKS = {
    "MutatingWebhookConfiguration": MUTATING_WEBHOOKS,
    "ValidatingWebhookConfiguration": VALIDATING_WEBHOOKS,
}
API_VERSION = "admissionregistration.k8s.io/v1"
NO_OBJECT = {"matchLabels": {"rehearsal": "never"}}
KEPT_FIELDS = (
    "name", "rules", "failurePolicy", "namespaceSelector", "sideEffects", "admissionReviewVersions",
    "matchPolicy", "timeoutSeconds",
)  # fmt: skip
APPROVAL = "api-approved.kubernetes.io"


def stub_webhooks(cluster: Cluster) -> list[KubeObject]:
    """Returns copies of the webhooks and their Services, and of the metrics API where it is served.

    Raises:
        ClusterError: something could not be read.
    """
    stubs: list[KubeObject] = []
    services: set[tuple[str, str]] = set()
    for kind, resource in WEBHOOKS.items():
        for configuration in cluster.items(resource.path()):
            webhooks = configuration.get("webhooks") or ()
            references = filter(None, map(_service_reference, webhooks))
            services |= {(reference["namespace"], reference["name"]) for reference in references}
            stubs.append(
                {
                    "apiVersion": API_VERSION,
                    "kind": kind,
                    "metadata": {"name": configuration["metadata"]["name"]},
                    "webhooks": [_inert(webhook) for webhook in webhooks],
                }
            )
    if services:
        stubs += _services(cluster.items(SERVICES.path()), services)
    stubs += _definitions(cluster.read(METRICS))
    return stubs


def _service_reference(webhook: JsonObject) -> Mapping[str, Any]:
    return webhook["clientConfig"].get("service") or {}


def _inert(webhook: JsonObject) -> dict[str, Any]:
    client = {key: value for key, value in webhook["clientConfig"].items() if key != "caBundle"}
    kept = {key: webhook[key] for key in KEPT_FIELDS if key in webhook}
    return kept | {"clientConfig": client, "objectSelector": NO_OBJECT}


def _services(live: Iterable[JsonObject], wanted: set[tuple[str, str]]) -> Iterator[KubeObject]:
    for service in live:
        name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
        if (namespace, name) in wanted:
            ports = [
                {key: port[key] for key in ("name", "port", "protocol") if key in port}
                for port in service["spec"].get("ports") or ()
            ]
            yield {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"selector": service["spec"].get("selector"), "ports": ports},
            }


def _definitions(api: JsonObject | None) -> Iterator[KubeObject]:
    """Yields a definition for every kind that an aggregated API serves."""
    if api is None:
        return
    group, _, version = api["groupVersion"].partition("/")
    for resource in api["resources"]:
        if "/" in resource["name"]:  # a subresource
            continue
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": f"{resource['name']}.{group}",
                "annotations": {APPROVAL: "unapproved, a stub of an aggregated API in rehearsals"},
            },
            "spec": {
                "group": group,
                "scope": "Namespaced" if resource["namespaced"] else "Cluster",
                "names": {"plural": resource["name"], "kind": resource["kind"]},
                "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
            },
        }
