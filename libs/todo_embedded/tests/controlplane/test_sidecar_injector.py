"""Sidecars are added as by Dapr's injector, as far as capacity and admission are concerned."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from todo_embedded.controlplane.control_plane import ControlPlane
from todo_embedded.controlplane.pod_faults import NeverReady
from todo_embedded.controlplane.sidecar_injector import inject_sidecars, stop_injecting

from .namespaces import Namespace

ANNOTATIONS = {
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


def test_sidecar_has_the_requested_size(namespace: Namespace) -> None:
    """The sidecar has the requests and limits of the annotations, the pod Dapr's label, and both run."""
    deployment = namespace.deploy("web", annotations=ANNOTATIONS)
    namespace.wait_until(lambda: namespace.is_available(deployment))
    pod = namespace.pods()[0]
    web, daprd = pod["spec"]["containers"]
    assert (web["name"], daprd["name"]) == ("web", "daprd")
    assert daprd["resources"] == {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}
    assert pod["metadata"]["labels"]["dapr.io/sidecar-injected"] == "true"
    assert [status["ready"] for status in pod["status"]["containerStatuses"]] == [True, True]


def test_pod_without_the_annotation_gets_no_sidecar(namespace: Namespace) -> None:
    """A pod without `dapr.io/enabled`, or with `false`, keeps its one container."""
    for name, annotations in (("none", {}), ("no", {"dapr.io/enabled": "false"})):
        deployment = namespace.deploy(name, annotations=annotations)
        namespace.wait_until(lambda deployment=deployment: namespace.is_available(deployment))
    assert [len(pod["spec"]["containers"]) for pod in namespace.pods()] == [1, 1]


def test_sidecar_counts_against_the_quota(namespace: Namespace) -> None:
    """The sidecar's requests count as used in the namespace's ResourceQuota."""
    path = f"api/v1/namespaces/{namespace.name}/resourcequotas/environment"
    namespace.create("ResourceQuota", "environment", spec={"hard": {"requests.cpu": "1"}})
    # Without this wait the quota controller counts the pods of this test much later.
    namespace.wait_until(lambda: namespace.api.read(path)["status"].get("used"))
    namespace.deploy("web", requests={"cpu": "100m"}, annotations=ANNOTATIONS)
    namespace.wait_until(lambda: namespace.api.read(path)["status"]["used"]["requests.cpu"] == "150m")


def test_sidecar_is_admitted_under_the_restricted_standard(make_namespace: Callable[..., Namespace]) -> None:
    """A pod that complies with `restricted` still complies with its sidecar."""
    namespace = make_namespace(**{"pod-security.kubernetes.io/enforce": "restricted"})
    deployment = namespace.deploy("web", annotations=ANNOTATIONS, securityContext=RESTRICTED)
    namespace.wait_until(lambda: namespace.is_available(deployment))
    assert len(namespace.pods()[0]["spec"]["containers"]) == 2


@pytest.fixture
def without_injector(plane: ControlPlane) -> Iterator[None]:
    """Stops the injector for a test."""
    stop_injecting(plane.api)
    yield
    inject_sidecars(plane.api)


@pytest.mark.usefixtures("without_injector")
def test_no_sidecar_is_added_while_the_injector_is_stopped(namespace: Namespace) -> None:
    """A pod with the annotation runs without a sidecar then."""
    deployment = namespace.deploy("web", annotations=ANNOTATIONS)
    namespace.wait_until(lambda: namespace.is_available(deployment))
    assert [container["name"] for container in namespace.pods()[0]["spec"]["containers"]] == ["web"]


def test_fault_can_be_limited_to_the_sidecar(namespace: Namespace, plane: ControlPlane) -> None:
    """A fault of the container `daprd` leaves the application's container ready."""
    plane.kubelet.set_faults(NeverReady(namespace=namespace.name, container="daprd"))
    namespace.deploy("web", annotations=ANNOTATIONS)

    def ready() -> dict[str, Any]:
        statuses = [
            status for pod in namespace.pods() for status in pod["status"].get("containerStatuses", [])
        ]
        return {status["name"]: status["ready"] for status in statuses}

    assert namespace.wait_until(ready) == {"web": True, "daprd": False}
