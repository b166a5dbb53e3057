"""Sidecars are added as Dapr's injector would, as far as room and admission go."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from todo_embedded.controlplane.control_plane import Plane
from todo_embedded.controlplane.pod_faults import NeverReady
from todo_embedded.controlplane.sidecar_injector import inject_sidecars, stop_injecting

from .room import Room

ASKED = {
    "dapr.io/enabled": "true",
    "dapr.io/sidecar-cpu-request": "50m",
    "dapr.io/sidecar-memory-request": "64Mi",
    "dapr.io/sidecar-memory-limit": "128Mi",
}
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def test_sidecar_has_the_size_that_was_asked_for(room: Room) -> None:
    """The pod gets a container with the requests and limits of its annotations, and Dapr's label; it runs."""
    made = room.deploy("web", annotations=ASKED)
    room.until(lambda: room.is_available(made))
    pod = room.pods()[0]
    web, daprd = pod["spec"]["containers"]
    assert (web["name"], daprd["name"]) == ("web", "daprd")
    assert daprd["resources"] == {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}
    assert pod["metadata"]["labels"]["dapr.io/sidecar-injected"] == "true"
    assert [one["ready"] for one in pod["status"]["containerStatuses"]] == [True, True]


def test_pod_that_asks_for_none_gets_none(room: Room) -> None:
    """Neither without annotations nor with the one that says no."""
    for name, annotations in (("none", {}), ("no", {"dapr.io/enabled": "false"})):
        made = room.deploy(name, annotations=annotations)
        room.until(lambda made=made: room.is_available(made))
    assert [len(pod["spec"]["containers"]) for pod in room.pods()] == [1, 1]


def test_sidecar_counts_against_the_quota(room: Room) -> None:
    """What the sidecar asks for is used of the namespace's share."""
    path = f"api/v1/namespaces/{room.name}/resourcequotas/environment"
    room.make("ResourceQuota", "environment", spec={"hard": {"requests.cpu": "1"}})
    room.until(lambda: room.api.read(path)["status"].get("used"))  # what is made before is counted much later
    room.deploy("web", requests={"cpu": "100m"}, annotations=ASKED)
    room.until(lambda: room.api.read(path)["status"]["used"]["requests.cpu"] == "150m")


def test_sidecar_is_admitted_under_the_restricted_standard(rooms: Callable[..., Room]) -> None:
    """A pod that complies goes on to comply."""
    room = rooms(**{"pod-security.kubernetes.io/enforce": "restricted"})
    made = room.deploy("web", annotations=ASKED, securityContext=RESTRICTED)
    room.until(lambda: room.is_available(made))
    assert len(room.pods()[0]["spec"]["containers"]) == 2


@pytest.fixture
def without_injector(plane: Plane) -> Iterator[None]:
    """The injector is away."""
    stop_injecting(plane.api)
    yield
    inject_sidecars(plane.api)


@pytest.mark.usefixtures("without_injector")
def test_no_sidecar_while_the_injector_is_away(room: Room) -> None:
    """A pod that asks for a sidecar then runs without one."""
    made = room.deploy("web", annotations=ASKED)
    room.until(lambda: room.is_available(made))
    assert [one["name"] for one in room.pods()[0]["spec"]["containers"]] == ["web"]


def test_sidecar_can_be_the_one_in_trouble(room: Room, plane: Plane) -> None:
    """A fault may name it; the application beside it is well."""
    plane.fates.set_faults(NeverReady(namespace=room.name, container="daprd"))
    room.deploy("web", annotations=ASKED)

    def ready() -> dict[str, Any]:
        statuses = [one for pod in room.pods() for one in pod["status"].get("containerStatuses", [])]
        return {one["name"]: one["ready"] for one in statuses}

    assert room.until(ready) == {"web": True, "daprd": False}
