"""Talks to a Kubernetes API server: a few typed reads, and create/replace of single objects.

How requests get there is a matter of `kubernetes.transport`, what an object means is read in
`kubernetes.objects`.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from todo_release.adapters.kubernetes import transport
from todo_release.adapters.kubernetes.objects import JsonObject, Snapshot, WorkloadRef, parse_snapshot
from todo_release.adapters.kubernetes.transport import Connection, UnreachableError, UnusableError
from todo_release.errors import ClusterError

PARALLEL_READS = 6
LOG_IS_GONE = "unable to retrieve container logs for "  # what the kubelet answers, with status 200
WORKLOAD_PATHS = {
    "Deployment": ("apis/apps/v1", "deployments"),
    "StatefulSet": ("apis/apps/v1", "statefulsets"),
    "DaemonSet": ("apis/apps/v1", "daemonsets"),
    "Job": ("apis/batch/v1", "jobs"),
}


class ConflictError(ClusterError):
    """The object was changed (or made) by someone else since it was read; read it again and decide anew."""


class RefusedError(ClusterError):
    """The API server answered, with a status that is no success."""

    def __init__(self, problem: str, *, remedy: str, status: int) -> None:
        """`status` is that of HTTP: 403 when the right is missing, 503 when what stands behind does not
        answer.
        """
        super().__init__(problem, remedy=remedy)
        self.status = status


class Cluster:
    """One cluster, seen with the rights of one kubeconfig context. Safe to use from several threads."""

    def __init__(self, connection: Connection, name: str) -> None:
        """`name` is what messages call this cluster: the context."""
        self._connection = connection
        self._name = name
        self._resources: dict[str, dict[str, tuple[str, bool]]] = {}

    @classmethod
    def connect(cls, context: str | None = None, kubeconfig: Path | None = None) -> "Cluster":
        """Read the kubeconfig ($KUBECONFIG or ~/.kube/config by default); nothing is sent yet.

        Raises:
            ClusterError: there is no such file or context, or its credentials cannot be had.
        """
        try:
            connection = transport.connect(context, kubeconfig)
        except UnusableError as error:
            raise ClusterError(
                f"The Kubernetes context {context or '(current)'!r} cannot be used: {error}.",
                remedy="List the contexts with `kubectl config get-contexts`; KUBECONFIG names the file.",
            ) from error
        return cls(connection, context or "current context")

    def read(
        self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "application/json"
    ) -> Any:
        """GET a path below the server's root (`api/v1/nodes`); None when the object is not there.

        `accept` asks for another form of the answer, where the server has one.

        Raises:
            RefusedError: the server refused.
            ClusterError: the server was not reachable.
        """
        status, text = self._send("GET", path, query, headers={"Accept": accept})
        if status == 404:
            return None
        return json.loads(self._accept(status, text, "read", path))

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Any]:
        """The items of a list; empty when the server does not know this kind of object."""
        answer = self.read(path, query)
        return answer["items"] if answer else []

    def create(self, path: str, body: JsonObject) -> Any:
        """POST an object to its collection.

        Raises:
            ConflictError: an object of that name is there.
            ClusterError: as `read`.
        """
        return json.loads(self._accept(*self._send("POST", path, body=body), "create", path))

    def replace(self, path: str, body: JsonObject) -> Any:
        """PUT an object; with `metadata.resourceVersion` in the body only if nobody changed it since.

        Raises:
            ConflictError: somebody did.
            ClusterError: as `read`.
        """
        return json.loads(self._accept(*self._send("PUT", path, body=body), "replace", path))

    def snapshot(self, namespace: str, refs: Iterable[WorkloadRef]) -> Snapshot:
        """Look at workloads, and at all pods and events of their namespace; one request a kind."""
        wanted = list(refs)
        kinds = sorted({ref.kind for ref in wanted})
        paths = [namespaced(*WORKLOAD_PATHS[kind], namespace) for kind in kinds]
        paths += [namespaced("apis/apps/v1", "replicasets", namespace), f"api/v1/namespaces/{namespace}/pods"]
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            events_later = pool.submit(self.items, f"api/v1/namespaces/{namespace}/events")
            *lists, replica_sets, pods = pool.map(self.items, paths)
            events = events_later.result()
        workloads = [
            {**item, "kind": kind} for kind, found in zip(kinds, lists, strict=True) for item in found
        ]
        return parse_snapshot(wanted, workloads, replica_sets, pods, events)

    def log(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 200
    ) -> str:
        """The last lines a container wrote, or wrote in its `previous` run; empty when it has not run."""
        query = {"container": container, "previous": str(previous).lower(), "tailLines": str(lines)}
        status, text = self._send("GET", f"api/v1/namespaces/{namespace}/pods/{pod}/log", query)
        # 400: it has not run (before); 404: the pod is gone; else the kubelet has dropped what was before.
        if status in (400, 404) or text.startswith(LOG_IS_GONE):
            return ""
        return self._accept(status, text, "read the log of", f"pods/{pod}")

    def secret_keys(self, namespace: str) -> dict[str, frozenset[str]]:
        """The names of the keys of every Secret; their values are dropped here."""
        secrets = self.items(f"api/v1/namespaces/{namespace}/secrets")
        return {one["metadata"]["name"]: frozenset(one.get("data") or ()) for one in secrets}

    def pull_secret(self, namespace: str, name: str) -> str | None:
        """The `.dockerconfigjson` of a Secret that pods pull images with; None when it is not there."""
        secret = self.read(f"api/v1/namespaces/{namespace}/secrets/{name}")
        encoded = (secret or {}).get("data", {}).get(".dockerconfigjson")
        return base64.b64decode(encoded).decode() if encoded else None

    def get_config_map(self, namespace: str, name: str) -> dict[str, str] | None:
        """The data of a ConfigMap, None when it is not there."""
        found = self.read(f"api/v1/namespaces/{namespace}/configmaps/{name}")
        return dict(found.get("data") or {}) if found else None

    def put_config_map(
        self, namespace: str, name: str, data: Mapping[str, str], labels: Mapping[str, str] | None = None
    ) -> None:
        """Create a ConfigMap or replace what it holds.

        Raises:
            ConflictError: somebody else wrote it in the same moment.
            ClusterError: as `read`.
        """
        collection = f"api/v1/namespaces/{namespace}/configmaps"
        found = self.read(f"{collection}/{name}")
        body = found or {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        body["data"] = dict(data)
        if labels:
            body["metadata"]["labels"] = {**body["metadata"].get("labels", {}), **labels}
        if found:
            self.replace(f"{collection}/{name}", body)
        else:
            self.create(collection, body)

    def live(self, wanted: JsonObject, namespace: str) -> Any:
        """The object in the cluster that a rendered one describes; None when there is none."""
        path = self._path(wanted, namespace)
        return None if path is None else self.read(path)

    def applied(self, wanted: JsonObject, namespace: str, *, manager: str) -> Any:
        """What a rendered object would be once a manager had applied it, by the server's dry run; None where
        its kind is not served. Nothing is changed.

        Raises:
            RefusedError: the server would refuse it.
            ClusterError: as `read`.
        """
        path = self._path(wanted, namespace)
        if path is None:
            return None
        query = {"dryRun": "All", "fieldManager": manager, "force": "true"}
        headers = {"Content-Type": "application/apply-patch+yaml"}  # of which JSON is a part
        answer = self._send("PATCH", path, query, json.dumps(wanted), headers)
        return json.loads(self._accept(*answer, "apply", path))

    def _path(self, wanted: JsonObject, namespace: str) -> str | None:
        resource = self._resource(wanted["apiVersion"], wanted["kind"])
        if resource is None:
            return None
        plural, is_namespaced = resource
        root = _root(wanted["apiVersion"])
        name = wanted["metadata"]["name"]
        place = wanted["metadata"].get("namespace", namespace)
        return f"{namespaced(root, plural, place)}/{name}" if is_namespaced else f"{root}/{plural}/{name}"

    def _resource(self, api_version: str, kind: str) -> tuple[str, bool] | None:
        if api_version not in self._resources:
            known = self.read(_root(api_version)) or {"resources": []}
            self._resources[api_version] = {
                one["kind"]: (one["name"], one["namespaced"])
                for one in known["resources"]
                if "/" not in one["name"]
            }
        return self._resources[api_version].get(kind)

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: JsonObject | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        try:
            url = f"/{quote(path)}" + (f"?{urlencode(query)}" if query else "")
            return self._connection.send(
                method, url, body, {"Accept": "application/json"} | dict(headers or {})
            )
        except UnreachableError as error:
            raise ClusterError(
                f"The Kubernetes API of {self._name!r} did not answer: {error}.",
                remedy="Check the network, the VPN and `kubectl --context ... get --raw /readyz`.",
            ) from error

    def _accept(self, status: int, text: str, verb: str, path: str) -> str:
        if status < 300:
            return text
        try:
            reason = json.loads(text).get("message", text)
        except ValueError:
            reason = text.strip()
        if status == 409:
            raise ConflictError(
                f"Somebody else changed {path} at the same moment: {reason}", remedy="Run the command again."
            )
        remedy = {
            401: "Renew the credentials of this context.",
            403: "Give this context's user the right the message names.",
        }.get(status, "Read the message; the API server said it.")
        raise RefusedError(
            f"Kubernetes refused to {verb} {path} ({status}): {reason}.", remedy=remedy, status=status
        )


def namespaced(root: str, plural: str, namespace: str) -> str:
    """Path of a collection: `apis/apps/v1/namespaces/staging/deployments`."""
    return f"{root}/namespaces/{namespace}/{plural}"


def _root(api_version: str) -> str:
    return f"apis/{api_version}" if "/" in api_version else f"api/{api_version}"
