"""What a live cluster's API server asks of others, as a rehearsal has it: there to be seen, never knocked at.

Webhooks keep what preflight looks at, and an object selector that nothing has. The Services they name stand
before the occupants. An API that another server would answer becomes a kind of our own with nothing in it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from todo_embedded.controlplane.api_client import Manifest
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.preflight.cluster_reader import METRICS

WEBHOOKS = {
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
}
ADMISSION = "admissionregistration.k8s.io/v1"
NOBODY = {"matchLabels": {"rehearsal": "never"}}
KEPT = (
    "name", "rules", "failurePolicy", "namespaceSelector", "sideEffects", "admissionReviewVersions",
    "matchPolicy", "timeoutSeconds",
)  # fmt: skip
APPROVAL = "api-approved.kubernetes.io"


def of_cluster(cluster: Cluster) -> list[Manifest]:
    """Stand-ins of webhooks, of the Services behind them, and of the metrics API where one answers.

    Raises:
        ClusterError: something cannot be read.
    """
    made: list[Manifest] = []
    behind: set[tuple[str, str]] = set()
    for kind, plural in WEBHOOKS.items():
        for one in cluster.items(f"apis/{ADMISSION}/{plural}"):
            hooks = one.get("webhooks") or ()
            behind |= {(each["namespace"], each["name"]) for each in map(_service, hooks) if each}
            made.append(
                {
                    "apiVersion": ADMISSION,
                    "kind": kind,
                    "metadata": {"name": one["metadata"]["name"]},
                    "webhooks": [_unused(hook) for hook in hooks],
                }
            )
    if behind:
        made += _services(cluster.items("api/v1/services"), behind)
    made += _definitions(cluster.read(METRICS))
    return made


def _service(hook: JsonObject) -> Mapping[str, Any]:
    return hook["clientConfig"].get("service") or {}


def _unused(hook: JsonObject) -> dict[str, Any]:
    client = {key: value for key, value in hook["clientConfig"].items() if key != "caBundle"}
    kept = {key: hook[key] for key in KEPT if key in hook}
    return kept | {"clientConfig": client, "objectSelector": NOBODY}


def _services(found: Iterable[JsonObject], wanted: set[tuple[str, str]]) -> Iterator[Manifest]:
    for one in found:
        name, namespace = one["metadata"]["name"], one["metadata"]["namespace"]
        if (namespace, name) in wanted:
            ports = [
                {key: port[key] for key in ("name", "port", "protocol") if key in port}
                for port in one["spec"].get("ports") or ()
            ]
            yield {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"selector": one["spec"].get("selector"), "ports": ports},
            }


def _definitions(api: JsonObject | None) -> Iterator[Manifest]:
    """A definition for every kind that an API serves."""
    if api is None:
        return
    group, _, version = api["groupVersion"].partition("/")
    for one in api["resources"]:
        if "/" in one["name"]:
            continue
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": f"{one['name']}.{group}",
                "annotations": {APPROVAL: "unapproved, stands in for another server in rehearsals"},
            },
            "spec": {
                "group": group,
                "scope": "Namespaced" if one["namespaced"] else "Cluster",
                "names": {"plural": one["name"], "kind": one["kind"]},
                "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
            },
        }
