"""Copies a live cluster into a rehearsal: its nodes, the pods on them, quotas, classes and names of Secrets.

Of Secrets and ConfigMaps only the names of keys are copied, and values that Dapr's documentation contains; no
other value leaves the live cluster. Pods of the environments are left out: the rehearsal deploys its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from todo_embedded.controlplane.nodes import SimulatedNode, bound_pod
from todo_embedded.controlplane.object_paths import KubeObject
from todo_release.adapters.kubernetes.api_resources import (
    CLUSTER_ISSUERS,
    CONFIG_MAPS,
    DEFINITIONS,
    INGRESS_CLASSES,
    LIMIT_RANGES,
    NAMESPACES,
    NODES,
    PODS,
    PRIORITY_CLASSES,
    QUOTAS,
    SECRETS,
    STORAGE_CLASSES,
)
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.objects import JsonObject, parse_pod
from todo_release.config.model import Config
from todo_release.environments import history
from todo_release.environments.environment import EnvironmentAccess
from todo_release.preflight.checks.dapr_schema import WORDS
from todo_release.preflight.scheduling import pod_requirements
from todo_release.preflight.secret_summary import HELM_RELEASE, TLS, SecretSummarizer
from todo_release.rehearsal import webhook_stubs
from todo_release.rehearsal.cluster_fixture import PLACEHOLDER, ClusterFixture, secret

PARALLEL_READS = 8
# The rehearsal writes its own Helm records, and a TLS Secret without its value would be an invalid one.
SKIPPED_SECRET_TYPES = (HELM_RELEASE, TLS)
MANAGED_BY = "app.kubernetes.io/managed-by"
RELEASE_MANAGERS = ("Helm", *history.LABELS.values())  # their objects are created by the rehearsal itself
ROOT_CERTIFICATE = "kube-root-ca.crt"  # created by Kubernetes in every namespace
CLASSES = (PRIORITY_CLASSES, STORAGE_CLASSES, INGRESS_CLASSES)  # cluster-scoped, named by a release's objects
NAMESPACE_LIMITS = (QUOTAS, LIMIT_RANGES)
BUILT_IN_PREFIX = "system-"  # priority classes that every cluster has
BUILT_IN_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
CONTROLLER_TAINT_PREFIX = "node.kubernetes.io/"  # taints that controllers add and remove by themselves
CLOSED = {"key": "rehearsal/closed", "effect": "NoSchedule"}


def copy_cluster(access: EnvironmentAccess, config: Config, registry_host: str) -> ClusterFixture:
    """Returns a fixture like the live cluster that an environment runs in.

    Raises:
        ClusterError: something could not be read.
    """
    cluster = access.cluster
    own = {environment.namespace for environment in config.environments.values()}
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        nodes = pool.submit(cluster.items, NODES.path())
        pods = pool.submit(cluster.items, PODS.path())
        namespaces = pool.submit(cluster.items, NAMESPACES.path())
        definitions = pool.submit(_objects, cluster, DEFINITIONS.path())
        issuers = pool.submit(_objects, cluster, CLUSTER_ISSUERS.path())
        stubs = pool.submit(webhook_stubs.stub_webhooks, cluster)
        classes = [pool.submit(_objects, cluster, resource.path()) for resource in CLASSES]
        contents = [pool.submit(_namespace_contents, cluster, name, registry_host) for name in sorted(own)]
    objects = [_without_conversion(definition) for definition in definitions.result()]
    defined = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in objects}
    objects += [manifest for read in classes for manifest in read.result()]
    objects += [_namespace(live, own) for live in namespaces.result() if _is_extra(live)]
    objects += [manifest for read in contents for manifest in read.result()]
    objects += [stub for stub in stubs.result() if (stub["kind"], stub["metadata"]["name"]) not in defined]
    objects += [issuer | {"spec": {"selfSigned": {}}} for issuer in issuers.result()]
    occupying = [pod for pod in pods.result() if pod_requirements.occupies_node(pod)]
    objects += [_same_size_pod(pod) for pod in occupying if pod["metadata"]["namespace"] not in own]
    return ClusterFixture(
        summary=f"a copy of the cluster of {access.name}: {len(nodes.result())} nodes with the requests of "
        f"{len(occupying)} pods",
        nodes=tuple(map(_node, nodes.result())),
        objects=tuple(objects),
        has_definitions=True,
    )


def _node(live: JsonObject) -> SimulatedNode:
    """Returns a node of the same size; one that is cordoned or not ready takes no new pods here either."""
    status, spec = live["status"], live["spec"]
    taints = [
        taint for taint in spec.get("taints") or () if not taint["key"].startswith(CONTROLLER_TAINT_PREFIX)
    ]
    is_ready = any(
        (condition["type"], condition["status"]) == ("Ready", "True")
        for condition in status.get("conditions") or ()
    )
    if spec.get("unschedulable") or not is_ready:
        taints.append(CLOSED)
    return SimulatedNode(
        name=live["metadata"]["name"],
        allocatable=status["allocatable"],
        capacity=status["capacity"],
        labels=live["metadata"].get("labels") or {},
        taints=tuple(taints),
    )


def _same_size_pod(live: JsonObject) -> KubeObject:
    """Returns a pod with the same requests on the same node.

    Only a ready pod keeps its labels, so that no Service selects one whose original does not answer.
    """
    meta, spec = live["metadata"], live["spec"]
    request = pod_requirements.of_live_pod(live).request
    manifest = bound_pod(
        meta["name"],
        {"cpu": f"{request.cpu}m", "memory": str(request.memory)},
        node=spec["nodeName"],
        namespace=meta["namespace"],
        priority_class=spec.get("priorityClassName", ""),
    )
    labels = meta.get("labels") or {} if parse_pod(live).is_ready else {}
    return {**manifest, "metadata": {**manifest["metadata"], "labels": labels}}


def _objects(cluster: Cluster, path: str) -> list[dict[str, Any]]:
    """Returns the manifests of a list's objects; none where the cluster does not serve the kind."""
    answer = cluster.read(path)
    if answer is None:
        return []
    identity = {"apiVersion": answer["apiVersion"], "kind": answer["kind"].removesuffix("List")}
    return [
        identity | _manifest(item)
        for item in answer["items"]
        if not item["metadata"]["name"].startswith(BUILT_IN_PREFIX)
    ]


def _manifest(live: JsonObject) -> dict[str, Any]:
    """Returns an object without what the API server adds."""
    meta = live["metadata"]
    kept = {key: meta[key] for key in ("name", "namespace", "labels", "annotations") if meta.get(key)}
    return {key: value for key, value in live.items() if key != "status"} | {"metadata": kept}


def _without_conversion(definition: Mapping[str, Any]) -> KubeObject:
    """Returns a definition without its conversion webhook, which does not run in a rehearsal."""
    return {**definition, "spec": {**definition["spec"], "conversion": {"strategy": "None"}}}


def _is_extra(namespace: JsonObject) -> bool:
    return namespace["metadata"]["name"] not in BUILT_IN_NAMESPACES


def _namespace(live: JsonObject, own: set[str]) -> KubeObject:
    """Returns a namespace.

    Pod security stays enforced in the environments only, because it could refuse the copied pods.
    """
    meta = live["metadata"]
    labels = meta.get("labels") or {} if meta["name"] in own else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": meta["name"], "labels": labels}}


def _namespace_contents(cluster: Cluster, namespace: str, registry_host: str) -> list[KubeObject]:
    objects: list[KubeObject] = [
        manifest for resource in NAMESPACE_LIMITS for manifest in _objects(cluster, resource.path(namespace))
    ]
    objects += _secrets(cluster.items(SECRETS.path(namespace)), namespace, registry_host)
    objects += [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": live["metadata"]["name"], "namespace": namespace},
            "data": dict.fromkeys(live.get("data") or (), PLACEHOLDER),
        }
        for live in cluster.items(CONFIG_MAPS.path(namespace))
        if live["metadata"]["name"] != ROOT_CERTIFICATE
        and not _is_from_release(live["metadata"].get("labels") or {})
    ]
    return objects


def _secrets(live: Iterable[JsonObject], namespace: str, registry_host: str) -> Iterator[KubeObject]:
    summarizer = SecretSummarizer()
    words = {fingerprint: word for word, fingerprint in summarizer.fingerprints(WORDS).items()}
    for summary in map(summarizer.summarize, live):
        if summary.type not in SKIPPED_SECRET_TYPES and not _is_from_release(summary.labels):
            values = {key: words.get(fingerprint, "") for key, fingerprint in summary.keys.items()}
            yield secret(namespace, summary.name, values, registry_host)


def _is_from_release(labels: Mapping[str, str]) -> bool:
    return labels.get(MANAGED_BY) in RELEASE_MANAGERS
