"""Sends requests to a Kubernetes API server: typed reads, and create or replace of single objects.

`kubernetes.transport` carries the requests, `kubernetes.objects` reads what an object means.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from todo_release.adapters.kubernetes import transport
from todo_release.adapters.kubernetes.api_resources import (
    CONFIG_MAPS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    EVENTS,
    JOBS,
    PODS,
    REPLICA_SETS,
    SECRETS,
    STATEFUL_SETS,
    Resource,
    root_of,
)
from todo_release.adapters.kubernetes.endpoints import Endpoint, parse_endpoint_slices
from todo_release.adapters.kubernetes.objects import (
    JsonObject,
    NamespaceSnapshot,
    Workload,
    WorkloadRef,
)
from todo_release.adapters.kubernetes.snapshots import join_snapshots, parse_custom_resource, parse_snapshot
from todo_release.adapters.kubernetes.transport import (
    REQUEST_SECONDS,
    ApiUnreachableError,
    Connection,
    KubeconfigError,
)
from todo_release.core.fence import Fence
from todo_release.errors import ClusterError

PARALLEL_READS = 6
PATH_CHARACTERS = "/:"  # a proxied pod is named NAME:PORT
# What YAML takes for the end of a line in a quoted text, or for no text at all.
NO_TEXT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
LOG_IS_GONE = "unable to retrieve container logs for "  # the kubelet's answer, with status 200
WORKLOAD_RESOURCES = {
    "Deployment": DEPLOYMENTS,
    "StatefulSet": STATEFUL_SETS,
    "DaemonSet": DAEMON_SETS,
    "Job": JOBS,
}
OTHER_REMEDY = "Correct the object that the message names, then run the command again."
SERVER_FAULT_REMEDY = (
    "Run the command again; if it fails again, check `kubectl --context ... get --raw /readyz?verbose`."
)


class ApiConflictError(ClusterError):
    """The object was changed or created by someone else since it was read; read it again and decide anew."""


class ApiUnavailableError(ClusterError):
    """The API server did not answer: it is away, or the way to it is."""


class ApiRefusedError(ClusterError):
    """The API server answered with a status that is not a success."""

    def __init__(self, problem: str, *, remedy: str, status: int) -> None:
        """Takes the HTTP `status`: 403 where a right is missing, 503 where an aggregated API is down."""
        super().__init__(problem, remedy=remedy)
        self.status = status


class Cluster:
    """One cluster, used with the rights of one kubeconfig context; safe to use from several threads."""

    def __init__(self, connection: Connection, name: str, *, fence: Fence | None = None) -> None:
        """Takes the `name` of the context, which messages show. Nothing is sent yet.

        While the `fence` is closed, `create` and `replace` raise its reason.
        """
        self._connection = connection
        self._name = name
        self._fence = fence or Fence()
        self._served: dict[str, dict[str, Resource]] = {}

    @classmethod
    def connect(
        cls,
        context: str | None = None,
        kubeconfig: Path | None = None,
        *,
        fence: Fence | None = None,
        request_seconds: float = REQUEST_SECONDS,
    ) -> "Cluster":
        """Reads the kubeconfig ($KUBECONFIG or ~/.kube/config by default); nothing is sent yet.

        A request waits for its answer for `request_seconds`.

        Raises:
            ClusterError: There is no such file or context, or its credentials cannot be obtained.
        """
        try:
            connection = transport.connect(context, kubeconfig, request_seconds=request_seconds)
        except KubeconfigError as error:
            raise ClusterError(
                f"The Kubernetes context {context or '(current)'!r} cannot be used: {error}.",
                remedy="List the contexts with `kubectl config get-contexts`; KUBECONFIG names the file.",
            ) from error
        return cls(connection, context or "current context", fence=fence)

    def read(
        self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "application/json"
    ) -> Any:
        """Returns the answer to a GET of a path below the server's root; None when nothing is there.

        `accept` asks for another representation, where the server has one.

        Raises:
            ApiRefusedError: The server refused.
            ClusterError: The server was not reachable.
        """
        status, text = self._send("GET", path, query, headers={"Accept": accept})
        if status == 404:
            return None
        return json.loads(self._accept(status, text, "read", path))

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Any]:
        """Returns the items of a list; none when the server does not know this kind of object."""
        answer = self.read(path, query)
        return answer["items"] if answer else []

    def create(self, path: str, body: JsonObject) -> Any:
        """Creates an object in its collection.

        Raises:
            ApiConflictError: There is an object of that name.
            ClusterError: As `read`.
        """
        self._fence.check()
        return json.loads(self._accept(*self._send("POST", path, body=body), "create", path))

    def replace(self, path: str, body: JsonObject) -> Any:
        """Replaces an object; with `metadata.resourceVersion` in the body only that version of it.

        Raises:
            ApiConflictError: Somebody changed the object since that version.
            ClusterError: As `read`.
        """
        self._fence.check()
        return json.loads(self._accept(*self._send("PUT", path, body=body), "replace", path))

    def snapshot(self, namespace: str, refs: Iterable[WorkloadRef]) -> NamespaceSnapshot:
        """Reads workloads, and all pods and events of their namespaces, with one request for each kind.

        A workload without a namespace of its own is in `namespace`, which is always read. Custom resources
        are read one by one; those that the server does not have are left out.
        """
        self._fence.check_holder()  # who lost the lock watches what somebody else does
        wanted = list(refs)
        own = {ref.namespace for ref in wanted} - {"", namespace}
        parts = []
        for name in (namespace, *sorted(own)):
            here = [ref for ref in wanted if (ref.namespace or namespace) == name]
            parts.append(self._namespace_snapshot(name, here))
        return join_snapshots(parts)

    def _namespace_snapshot(self, namespace: str, wanted: list[WorkloadRef]) -> NamespaceSnapshot:
        custom = [ref for ref in wanted if ref.api_version]
        builtin = [ref for ref in wanted if not ref.api_version]
        kinds = sorted({ref.kind for ref in builtin})
        resources = [*(WORKLOAD_RESOURCES[kind] for kind in kinds), REPLICA_SETS, PODS]
        paths = [resource.path(namespace) for resource in resources]
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            events_later = pool.submit(self.items, EVENTS.path(namespace))
            custom_later = pool.map(lambda ref: self._custom_resource(ref, namespace), custom)
            *lists, replica_sets, pods = pool.map(self.items, paths)
            events = events_later.result()
            found = {ref: workload for ref, workload in zip(custom, custom_later, strict=True) if workload}
        workloads = [
            {**item, "kind": kind} for kind, items in zip(kinds, lists, strict=True) for item in items
        ]
        snapshot = parse_snapshot(builtin, workloads, replica_sets, pods, events)
        return replace(snapshot, workloads={**snapshot.workloads, **found})

    def _custom_resource(self, ref: WorkloadRef, namespace: str) -> Workload | None:
        wanted = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": {"name": ref.name}}
        live = self.live(wanted, namespace)
        return parse_custom_resource(ref, live) if live else None

    def endpoints(self, namespace: str) -> tuple[Endpoint, ...]:
        """Returns the pods behind every Service of a namespace."""
        return parse_endpoint_slices(self.items(ENDPOINT_SLICES.path(namespace)))

    def log(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 200
    ) -> str:
        """Returns the last lines a container wrote, or its `previous` run; empty when it has not run."""
        query = {"container": container, "previous": str(previous).lower(), "tailLines": str(lines)}
        status, text = self._send("GET", f"{PODS.path(namespace)}/{pod}/log", query)
        # 400: no (previous) run; 404: the pod is gone; LOG_IS_GONE: the kubelet has deleted the previous log.
        if status in (400, 404) or text.startswith(LOG_IS_GONE):
            return ""
        return self._accept(status, text, "read the log of", f"pods/{pod}")

    def read_behind(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """Returns the text that a pod or a Service gives to a GET through the API server's proxy.

        `path` contains the proxy: `api/v1/namespaces/staging/pods/web-1:8080/proxy/metrics`.

        Raises:
            ApiRefusedError: The API server refused, could not reach it, or its own answer is no success.
            ClusterError: The API server was not reachable.
        """
        answer = self._send("GET", path, query, headers={"Accept": "text/plain, application/json"})
        return self._accept(*answer, "reach", path)

    def secret_keys(self, namespace: str) -> dict[str, frozenset[str]]:
        """Returns the names of the keys of every Secret; the values are dropped here."""
        secrets = self.items(SECRETS.path(namespace))
        return {secret["metadata"]["name"]: frozenset(secret.get("data") or ()) for secret in secrets}

    def pull_secret(self, namespace: str, name: str) -> str | None:
        """Returns the `.dockerconfigjson` of a pull secret; None when there is no such Secret."""
        secret = self.read(f"{SECRETS.path(namespace)}/{name}")
        encoded = (secret or {}).get("data", {}).get(".dockerconfigjson")
        return base64.b64decode(encoded).decode() if encoded else None

    def get_config_map(self, namespace: str, name: str) -> dict[str, str] | None:
        """Returns the data of a ConfigMap; None when there is none of that name."""
        config_map = self.read(f"{CONFIG_MAPS.path(namespace)}/{name}")
        return dict(config_map.get("data") or {}) if config_map else None

    def put_config_map(
        self, namespace: str, name: str, data: Mapping[str, str], labels: Mapping[str, str] | None = None
    ) -> None:
        """Creates a ConfigMap, or replaces its data and adds to its labels.

        Raises:
            ApiConflictError: Somebody else wrote it at the same moment.
            ClusterError: As `read`.
        """
        collection = CONFIG_MAPS.path(namespace)
        existing = self.read(f"{collection}/{name}")
        body = existing or {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        body["data"] = dict(data)
        if labels:
            body["metadata"]["labels"] = {**body["metadata"].get("labels", {}), **labels}
        if existing:
            self.replace(f"{collection}/{name}", body)
        else:
            self.create(collection, body)

    def live(self, wanted: JsonObject, namespace: str) -> Any:
        """Returns the live object that a rendered one describes; None when there is none."""
        path = self._path(wanted, namespace)
        return None if path is None else self.read(path)

    def serves(self, wanted: JsonObject) -> bool:
        """Checks whether the server serves the kind of an object in its version."""
        return self._resource(wanted["apiVersion"], wanted["kind"]) is not None

    def applied(self, wanted: JsonObject, namespace: str, *, manager: str) -> Any:
        """Returns what a rendered object would become if a manager applied it, by a server-side dry run.

        Nothing is changed. The result is None where the server does not serve the object's kind.

        Raises:
            ApiRefusedError: The server would refuse the object.
            ClusterError: As `read`.
        """
        return self._apply(wanted, namespace, {"dryRun": "All", "fieldManager": manager, "force": "true"})

    def apply(self, wanted: JsonObject, namespace: str, *, manager: str, force: bool = True) -> Any:
        """Creates an object or sets its fields, as a manager, and returns it; None for an unserved kind.

        Fields that the manager set before and that are not in `wanted` any more are removed. With `force` it
        takes over fields of other managers.

        Raises:
            ApiConflictError: Without `force`, another manager has set one of the fields to another value.
            ClusterError: As `read`.
        """
        self._fence.check()
        return self._apply(wanted, namespace, {"fieldManager": manager, "force": str(force).lower()})

    def _apply(self, wanted: JsonObject, namespace: str, query: Mapping[str, str]) -> Any:
        path = self._path(wanted, namespace)
        if path is None:
            return None
        headers = {"Content-Type": "application/apply-patch+yaml"}
        answer = self._send("PATCH", path, query, _as_yaml(wanted), headers)
        return json.loads(self._accept(*answer, "apply", path))

    def patch(self, path: str, body: JsonObject, *, manager: str) -> Any:
        """Merges fields into an existing object (RFC 7386), as a manager; None removes a field.

        Raises:
            ApiConflictError: The body has a `metadata.resourceVersion` that is not the newest.
            ClusterError: As `read`.
        """
        self._fence.check()
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = self._send("PATCH", path, {"fieldManager": manager}, json.dumps(body), headers)
        return json.loads(self._accept(*answer, "change", path))

    def delete(self, path: str) -> None:
        """Deletes an object; does nothing when it is not there.

        Raises:
            ClusterError: As `read`.
        """
        self._fence.check()
        status, text = self._send("DELETE", path)
        if status != 404:
            self._accept(status, text, "delete", path)

    def collection(self, wanted: JsonObject, namespace: str) -> str | None:
        """Returns the path of the list that an object is in; None where its kind is not served."""
        resource = self._resource(wanted["apiVersion"], wanted["kind"])
        return resource.path(wanted["metadata"].get("namespace", namespace)) if resource else None

    def _path(self, wanted: JsonObject, namespace: str) -> str | None:
        path = self.collection(wanted, namespace)
        if path is None or "name" not in wanted["metadata"]:  # the server gives a name to each new object
            return None
        return f"{path}/{wanted['metadata']['name']}"

    def _resource(self, api_version: str, kind: str) -> Resource | None:
        """Returns the list of a kind as the server itself names it; custom resources choose their plural."""
        if kind not in self._served.get(api_version, {}):  # asked again: a release may bring its own kinds
            root = root_of(api_version)
            discovery = self.read(root) or {"resources": []}
            self._served[api_version] = {
                entry["kind"]: Resource(root, entry["name"], is_namespaced=entry["namespaced"])
                for entry in discovery["resources"]
                if "/" not in entry["name"]
            }
        return self._served[api_version].get(kind)

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: JsonObject | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        try:
            url = f"/{quote(path, safe=PATH_CHARACTERS)}" + (f"?{urlencode(query)}" if query else "")
            return self._connection.send(
                method, url, body, {"Accept": "application/json"} | dict(headers or {})
            )
        except ApiUnreachableError as error:
            raise ApiUnavailableError(
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
            raise ApiConflictError(
                f"Somebody else changed {path} at the same moment: {reason}", remedy="Run the command again."
            )
        remedy = {
            401: "Renew the credentials of this context.",
            403: "Give this context's user the right that the message names.",
        }.get(status, SERVER_FAULT_REMEDY if status >= 500 else OTHER_REMEDY)
        raise ApiRefusedError(
            f"Kubernetes refused to {verb} {path} ({status}): {reason}.", remedy=remedy, status=status
        )


def _as_yaml(body: JsonObject) -> str:
    """Returns JSON that is YAML too, which knows no surrogates: characters beyond U+FFFF stay as they are."""
    text = json.dumps(body, ensure_ascii=False)
    return NO_TEXT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
