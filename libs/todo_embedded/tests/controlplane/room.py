"""A namespace of a test's own on the plane that all tests share."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from todo_embedded.controlplane.api_client import location
from todo_embedded.controlplane.control_plane import Plane

Found = TypeVar("Found")
Json = dict[str, Any]


class Room:
    """Makes objects in one namespace and looks at what becomes of them."""

    def __init__(self, plane: Plane, name: str, labels: Mapping[str, str] | None = None) -> None:
        """Make the namespace."""
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
        self.until(lambda: self.api.read(f"api/v1/namespaces/{name}/serviceaccounts/default"))

    def make(self, kind: str, name: str, *, api_version: str = "v1", **body: Any) -> Json:
        """Make an object of this namespace."""
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
        """Make a Deployment of one container, called like it."""
        own = {"name": name, "image": f"shop/{name}:1", "resources": {"requests": dict(requests or {})}}
        template = {
            "metadata": {"labels": {"app": name}, "annotations": dict(annotations or {})},
            "spec": {"containers": [own | container]} | (pod or {}),
        }
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
        return self.make("Deployment", name, api_version="apps/v1", spec=spec)

    def read(self, made: Json) -> Json:
        """An object as it is now."""
        return self.api.read(location(made))

    def pods(self) -> list[Json]:
        """All pods."""
        return self.api.items(f"api/v1/namespaces/{self.name}/pods")

    def state(self) -> Json:
        """The state of the first container of the only pod; empty while there is none."""
        statuses = [one for pod in self.pods() for one in pod["status"].get("containerStatuses", [])]
        return statuses[0]["state"] if statuses else {}

    def told(self, reason: str) -> list[str]:
        """What events with that reason say."""
        events = self.api.items(f"api/v1/namespaces/{self.name}/events")
        return [event["message"] for event in events if event["reason"] == reason]

    def is_available(self, deployment: Json) -> bool:
        """Tell whether all replicas of a Deployment are."""
        now = self.read(deployment)
        return now["status"].get("availableReplicas", 0) == now["spec"]["replicas"]

    def until(self, look: Callable[[], Found], *, seconds: float = 30) -> Found:
        """Look until there is something true, and return it; fails after the bound."""
        deadline = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < deadline, f"not within {seconds} s; pods: {self.pods()}"
            time.sleep(0.05)
        return found
