"""A namespace for one test, on the control plane that all tests share."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from todo_embedded.controlplane.control_plane import ControlPlane
from todo_embedded.controlplane.object_paths import location

Value = TypeVar("Value")
Json = dict[str, Any]


class Namespace:
    """Creates objects in one namespace and reads what becomes of them."""

    def __init__(self, plane: ControlPlane, name: str, labels: Mapping[str, str] | None = None) -> None:
        """Creates the namespace and waits until pods can start in it.

        They need an account, and mount the certificate of the API server.
        """
        self.plane = plane
        self.api = plane.api
        self.name = name
        self.api.create(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": dict(labels or {})},
            }
        )
        for needed in ("serviceaccounts/default", "configmaps/kube-root-ca.crt"):
            self.wait_until(partial(self.api.read, f"api/v1/namespaces/{name}/{needed}"))

    def create(self, kind: str, name: str, *, api_version: str = "v1", **body: Any) -> Json:
        """Creates an object in this namespace."""
        metadata = {"name": name, "namespace": self.name} | body.pop("metadata", {})
        return self.api.create({"apiVersion": api_version, "kind": kind, "metadata": metadata, **body})

    def deploy(
        self,
        name: str,
        *,
        replicas: int = 1,
        requests: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        pod: Json | None = None,
        **container: Any,
    ) -> Json:
        """Creates a Deployment with one container of the same name."""
        defaults = {"name": name, "image": f"shop/{name}:1", "resources": {"requests": dict(requests or {})}}
        template = {
            "metadata": {"labels": {"app": name}, "annotations": dict(annotations or {})},
            "spec": {"containers": [defaults | container]} | (pod or {}),
        }
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
        return self.create("Deployment", name, api_version="apps/v1", spec=spec)

    def read(self, manifest: Json) -> Json:
        """Returns an object as it is now."""
        return self.api.read(location(manifest))

    def pods(self) -> list[Json]:
        """Returns all pods."""
        return self.api.items(f"api/v1/namespaces/{self.name}/pods")

    def state(self) -> Json:
        """Returns the state of the first container of the first pod; empty while there is none."""
        statuses = [status for pod in self.pods() for status in pod["status"].get("containerStatuses", [])]
        return statuses[0]["state"] if statuses else {}

    def event_messages(self, reason: str) -> list[str]:
        """Returns the messages of all events with a reason."""
        events = self.api.items(f"api/v1/namespaces/{self.name}/events")
        return [event["message"] for event in events if event["reason"] == reason]

    def is_available(self, deployment: Json) -> bool:
        """Returns whether all replicas of a Deployment are available."""
        now = self.read(deployment)
        return now["status"].get("availableReplicas", 0) == now["spec"]["replicas"]

    def wait_until(self, read: Callable[[], Value], *, seconds: float = 30) -> Value:
        """Calls `read` until its result is true, and returns the result; fails after the time limit."""
        deadline = time.monotonic() + seconds
        while not (value := read()):
            assert time.monotonic() < deadline, f"not within {seconds} s; pods: {self.pods()}"
            time.sleep(0.05)
        return value
