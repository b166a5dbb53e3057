"""Furnishes a rehearsal like a live cluster: its machines and what runs on them, its quotas, classes, names.

Of Secrets and ConfigMaps only the names of their keys are taken, and words that any Dapr documentation has;
no other value leaves the live cluster. Pods of the environments are left out: the rehearsal deploys its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from todo_embedded.controlplane.api import Manifest
from todo_embedded.controlplane.nodes import Node, occupant
from todo_release.config import Config
from todo_release.environments import Access
from todo_release.kube import Cluster
from todo_release.preflight.dapr_tables import WORDS
from todo_release.preflight.quantities import parse
from todo_release.preflight.secret_facts import HELM_RELEASE, TLS, Reducer
from todo_release.rehearsal.site import PLACEHOLDER, Site, secret

PARALLEL_READS = 8
NOT_TAKEN = (
    HELM_RELEASE,
    TLS,
)  # Helm's records are the rehearsal's own; an empty certificate is a broken one
OVER = ("Succeeded", "Failed")
# Objects of the whole cluster that a release may name, and of an environment's namespace that bound it.
CLUSTER_WIDE = (
    "apis/scheduling.k8s.io/v1/priorityclasses",
    "apis/storage.k8s.io/v1/storageclasses",
    "apis/networking.k8s.io/v1/ingressclasses",
    "apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "apis/cert-manager.io/v1/clusterissuers",
)
OF_NAMESPACE = ("resourcequotas", "limitranges")
BUILT_IN = "system-"  # priority classes that every cluster has by itself


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
        shared = [pool.submit(_objects, cluster, path) for path in CLUSTER_WIDE]
        furnished = [pool.submit(_of_namespace, cluster, name, registry_host) for name in sorted(own)]
        nodes, pods = nodes_later.result(), pods_later.result()
        objects = [one for later in shared for one in later.result()]
        objects += [_namespace(one, own) for one in spaces_later.result() if _is_extra(one)]
        objects += [one for later in furnished for one in later.result()]
    objects += _occupants(pods, own)
    return Site(
        told=f"twin of {access.name}: {len(nodes)} nodes with the requests of {len(pods)} pods",
        nodes=tuple(_node(one) for one in nodes),
        objects=tuple(objects),
    )


def _node(found: Mapping[str, Any]) -> Node:
    status = found["status"]
    return Node(
        name=found["metadata"]["name"],
        allocatable=status["allocatable"],
        capacity=status["capacity"],
        labels=found["metadata"].get("labels") or {},
        taints=found["spec"].get("taints") or (),
    )


def _occupants(pods: Iterable[Mapping[str, Any]], own: set[str]) -> Iterator[Manifest]:
    for pod in pods:
        meta, spec = pod["metadata"], pod["spec"]
        is_over = pod.get("status", {}).get("phase") in OVER
        if meta["namespace"] in own or is_over or "nodeName" not in spec:
            continue
        yield occupant(
            meta["name"],
            _requests(spec),
            node=spec["nodeName"],
            namespace=meta["namespace"],
            priority_class=spec.get("priorityClassName", ""),
        )


def _requests(spec: Mapping[str, Any]) -> dict[str, str]:
    """What all containers that run at the same time ask for, in millicores and bytes."""
    total = {"cpu": 0.0, "memory": 0.0}
    beside = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    for container in [*spec["containers"], *beside]:
        asked = container.get("resources", {}).get("requests") or {}
        for name in total:
            total[name] += float(parse(str(asked.get(name, "0"))))
    return {"cpu": f"{round(total['cpu'] * 1000)}m", "memory": str(round(total["memory"]))}


def _objects(cluster: Cluster, path: str) -> list[Manifest]:
    """Every object of a list as it could be made anew; none where the cluster does not know the kind."""
    answer = cluster.read(path)
    if answer is None:
        return []
    identity = {"apiVersion": answer["apiVersion"], "kind": answer["kind"].removesuffix("List")}
    return [
        identity | _anew(one) for one in answer["items"] if not one["metadata"]["name"].startswith(BUILT_IN)
    ]


def _anew(found: Mapping[str, Any]) -> dict[str, Any]:
    meta = found["metadata"]
    kept = {key: meta[key] for key in ("name", "namespace", "labels", "annotations") if meta.get(key)}
    return {key: value for key, value in found.items() if key != "status"} | {"metadata": kept}


def _is_extra(namespace: Mapping[str, Any]) -> bool:
    name = namespace["metadata"]["name"]
    return name != "default" and not name.startswith("kube-")


def _namespace(found: Mapping[str, Any], own: set[str]) -> Manifest:
    """Standards are enforced where the release goes; elsewhere they would refuse the occupants."""
    meta = found["metadata"]
    labels = meta.get("labels") or {} if meta["name"] in own else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": meta["name"], "labels": labels}}


def _of_namespace(cluster: Cluster, namespace: str, registry_host: str) -> list[Manifest]:
    root = f"api/v1/namespaces/{namespace}"
    found = [one for kind in OF_NAMESPACE for one in _objects(cluster, f"{root}/{kind}")]
    reducer = Reducer()
    words = {fingerprint: word for word, fingerprint in reducer.words(WORDS).items()}
    for facts in map(reducer.reduce, cluster.items(f"{root}/secrets")):
        if facts.type not in NOT_TAKEN:
            known = {key: words.get(fingerprint, "") for key, fingerprint in facts.keys.items()}
            found.append(secret(namespace, facts.name, known, registry_host))
    for one in cluster.items(f"{root}/configmaps"):
        name = one["metadata"]["name"]
        if name != "kube-root-ca.crt" and "app.kubernetes.io/managed-by" not in (
            one["metadata"].get("labels") or {}
        ):
            found.append(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": name, "namespace": namespace},
                    "data": dict.fromkeys(one.get("data") or (), PLACEHOLDER),
                }
            )
    return found
