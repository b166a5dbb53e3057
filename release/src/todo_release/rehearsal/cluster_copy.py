"""Furnishes a rehearsal like a live cluster: its machines and what runs on them, its quotas, classes, names.

Of Secrets and ConfigMaps only the names of their keys are taken, and words that any Dapr documentation has;
no other value leaves the live cluster. Pods of the environments are left out: the rehearsal deploys its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from todo_embedded.controlplane.api_client import Manifest
from todo_embedded.controlplane.nodes import Node, occupant
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.objects import JsonObject, parse_pod
from todo_release.config.model import Config
from todo_release.environments import history
from todo_release.environments.environment import Access
from todo_release.preflight.checks.dapr_schema import WORDS
from todo_release.preflight.scheduling import pod_requirements
from todo_release.preflight.secret_summary import HELM_RELEASE, TLS, Reducer
from todo_release.rehearsal import webhook_stubs
from todo_release.rehearsal.cluster_fixture import PLACEHOLDER, Site, secret

PARALLEL_READS = 8
# Helm's records are the rehearsal's own, and an empty certificate is a broken one.
NOT_TAKEN = (HELM_RELEASE, TLS)
MANAGED_BY = "app.kubernetes.io/managed-by"
MADE_HERE = ("Helm", *history.LABELS.values())  # what the rehearsal makes itself
ROOT_CERTIFICATE = "kube-root-ca.crt"  # every namespace is given one
DEFINITIONS = "apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ISSUERS = "apis/cert-manager.io/v1/clusterissuers"
# Objects of the whole cluster that a release may name, and of an environment's namespace that bound it.
CLASSES = (
    "apis/scheduling.k8s.io/v1/priorityclasses",
    "apis/storage.k8s.io/v1/storageclasses",
    "apis/networking.k8s.io/v1/ingressclasses",
)
OF_NAMESPACE = ("resourcequotas", "limitranges")
BUILT_IN = "system-"  # priority classes that every cluster has by itself
BUILT_IN_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
OF_CONTROLLERS = "node.kubernetes.io/"  # taints that controllers put on and take off by what they see
CLOSED = {"key": "rehearsal/closed", "effect": "NoSchedule"}


def of_cluster(access: Access, config: Config, registry_host: str) -> Site:
    """What is found in the cluster that an environment runs in.

    Raises:
        ClusterError: something cannot be read.
    """
    cluster = access.cluster
    own = {one.namespace for one in config.environments.values()}
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        nodes_later = pool.submit(cluster.items, "api/v1/nodes")
        pods_later = pool.submit(cluster.items, "api/v1/pods")
        spaces_later = pool.submit(cluster.items, "api/v1/namespaces")
        kinds_later = pool.submit(_objects, cluster, DEFINITIONS)
        issuers_later = pool.submit(_objects, cluster, ISSUERS)
        doors_later = pool.submit(webhook_stubs.of_cluster, cluster)
        shared = [pool.submit(_objects, cluster, path) for path in CLASSES]
        furnished = [pool.submit(_of_namespace, cluster, name, registry_host) for name in sorted(own)]
        nodes, pods = nodes_later.result(), [pod for pod in pods_later.result() if pod_requirements.runs(pod)]
        objects = [_unconverted(one) for one in kinds_later.result()]
        defined = {(one["kind"], one["metadata"]["name"]) for one in objects}
        objects += [one for later in shared for one in later.result()]
        objects += [_namespace(one, own) for one in spaces_later.result() if _is_extra(one)]
        objects += [one for later in furnished for one in later.result()]
        objects += [
            one for one in doors_later.result() if (one["kind"], one["metadata"]["name"]) not in defined
        ]
        objects += [one | {"spec": {"selfSigned": {}}} for one in issuers_later.result()]
    objects += (_occupant(pod) for pod in pods if pod["metadata"]["namespace"] not in own)
    return Site(
        told=f"twin of {access.name}: {len(nodes)} nodes with the requests of {len(pods)} pods",
        nodes=tuple(map(_node, nodes)),
        objects=tuple(objects),
        has_definitions=True,
    )


def _node(found: JsonObject) -> Node:
    """A machine; one that is cordoned or not ready takes no new pods here either."""
    status, spec = found["status"], found["spec"]
    taints = [one for one in spec.get("taints") or () if not one["key"].startswith(OF_CONTROLLERS)]
    is_ready = any(
        (one["type"], one["status"]) == ("Ready", "True") for one in status.get("conditions") or ()
    )
    if spec.get("unschedulable") or not is_ready:
        taints.append(CLOSED)
    return Node(
        name=found["metadata"]["name"],
        allocatable=status["allocatable"],
        capacity=status["capacity"],
        labels=found["metadata"].get("labels") or {},
        taints=tuple(taints),
    )


def _occupant(pod: JsonObject) -> Manifest:
    """A pod of the same size in the same place; only one that is ready keeps its labels, so that no Service
    finds one behind which nothing answers.
    """
    meta, spec = pod["metadata"], pod["spec"]
    request = pod_requirements.live(pod).request
    made = occupant(
        meta["name"],
        {"cpu": f"{request.cpu}m", "memory": str(request.memory)},
        node=spec["nodeName"],
        namespace=meta["namespace"],
        priority_class=spec.get("priorityClassName", ""),
    )
    labels = meta.get("labels") or {} if parse_pod(pod).is_ready else {}
    return {**made, "metadata": {**made["metadata"], "labels": labels}}


def _objects(cluster: Cluster, path: str) -> list[dict[str, Any]]:
    """Every object of a list as it could be made anew; none where the cluster does not know the kind."""
    answer = cluster.read(path)
    if answer is None:
        return []
    identity = {"apiVersion": answer["apiVersion"], "kind": answer["kind"].removesuffix("List")}
    return [
        identity | _anew(one) for one in answer["items"] if not one["metadata"]["name"].startswith(BUILT_IN)
    ]


def _anew(found: JsonObject) -> dict[str, Any]:
    meta = found["metadata"]
    kept = {key: meta[key] for key in ("name", "namespace", "labels", "annotations") if meta.get(key)}
    return {key: value for key, value in found.items() if key != "status"} | {"metadata": kept}


def _unconverted(definition: Mapping[str, Any]) -> Manifest:
    """A definition whose versions differ in name only: nothing answers that could convert them."""
    return {**definition, "spec": {**definition["spec"], "conversion": {"strategy": "None"}}}


def _is_extra(namespace: JsonObject) -> bool:
    return namespace["metadata"]["name"] not in BUILT_IN_NAMESPACES


def _namespace(found: JsonObject, own: set[str]) -> Manifest:
    """Standards are enforced where the release goes; elsewhere they would refuse the occupants."""
    meta = found["metadata"]
    labels = meta.get("labels") or {} if meta["name"] in own else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": meta["name"], "labels": labels}}


def _of_namespace(cluster: Cluster, namespace: str, registry_host: str) -> list[Manifest]:
    root = f"api/v1/namespaces/{namespace}"
    found: list[Manifest] = [one for kind in OF_NAMESPACE for one in _objects(cluster, f"{root}/{kind}")]
    found += _secrets(cluster.items(f"{root}/secrets"), namespace, registry_host)
    found += [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": one["metadata"]["name"], "namespace": namespace},
            "data": dict.fromkeys(one.get("data") or (), PLACEHOLDER),
        }
        for one in cluster.items(f"{root}/configmaps")
        if one["metadata"]["name"] != ROOT_CERTIFICATE and _is_a_guest(one["metadata"].get("labels") or {})
    ]
    return found


def _secrets(found: Iterable[JsonObject], namespace: str, registry_host: str) -> Iterator[Manifest]:
    reducer = Reducer()
    words = {fingerprint: word for word, fingerprint in reducer.words(WORDS).items()}
    for facts in map(reducer.reduce, found):
        if facts.type not in NOT_TAKEN and _is_a_guest(facts.labels):
            known = {key: words.get(fingerprint, "") for key, fingerprint in facts.keys.items()}
            yield secret(namespace, facts.name, known, registry_host)


def _is_a_guest(labels: Mapping[str, str]) -> bool:
    """Whether an object of the namespace comes from elsewhere than from releases."""
    return labels.get(MANAGED_BY) not in MADE_HERE
