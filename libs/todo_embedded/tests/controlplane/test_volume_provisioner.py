"""Claims for volumes are bound, as in a cluster with a provisioner."""

from collections.abc import Callable
from typing import Any

import pytest

from todo_embedded.controlplane.control_plane import ControlPlane
from todo_embedded.controlplane.volume_provisioner import is_waiting

from .namespaces import Namespace


@pytest.fixture
def storage_class(plane: ControlPlane, namespace: Namespace) -> Callable[[str], str]:
    """Returns a function that creates a storage class and returns its name."""

    def create(mode: str) -> str:
        manifest = {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": namespace.name},
            "provisioner": "disks.example.com",
            "volumeBindingMode": mode,
        }
        plane.api.create(manifest)
        return namespace.name

    return create


def claim_of(storage_class: str, **spec: Any) -> dict[str, Any]:
    """Returns the spec of a claim of 1 GiB."""
    size = {"requests": {"storage": "1Gi"}}
    return {
        "storageClassName": storage_class,
        "accessModes": ["ReadWriteOnce"],
        "resources": size,
    } | spec


@pytest.mark.parametrize("mode", ["Immediate", "WaitForFirstConsumer"])
def test_stateful_set_with_claim_templates_becomes_ready(
    namespace: Namespace, storage_class: Callable[[str], str], mode: str
) -> None:
    """Every replica gets a volume of its own, in either binding mode."""
    spec = {
        "replicas": 2,
        "serviceName": "store",
        "selector": {"matchLabels": {"app": "store"}},
        "template": {
            "metadata": {"labels": {"app": "store"}},
            "spec": {
                "containers": [
                    {
                        "name": "store",
                        "image": "shop/store:1",
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                    }
                ]
            },
        },
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim_of(storage_class(mode))}],
    }
    stateful_set = namespace.create("StatefulSet", "store", api_version="apps/v1", spec=spec)
    namespace.wait_until(lambda: namespace.read(stateful_set)["status"].get("readyReplicas") == 2)
    claims = namespace.api.items(f"api/v1/namespaces/{namespace.name}/persistentvolumeclaims")
    assert [(claim["metadata"]["name"], claim["status"]["phase"]) for claim in claims] == [
        ("data-store-0", "Bound"),
        ("data-store-1", "Bound"),
    ]
    assert len({claim["spec"]["volumeName"] for claim in claims}) == 2
    assert namespace.event_messages("FailedAttachVolume") == []


def test_claim_that_waits_for_its_first_pod_gets_no_volume_before(
    namespace: Namespace, storage_class: Callable[[str], str]
) -> None:
    """Without a pod such a claim stays pending, as an event says."""
    waiting = namespace.create(
        "PersistentVolumeClaim", "waiting", spec=claim_of(storage_class("WaitForFirstConsumer"))
    )
    namespace.wait_until(lambda: namespace.event_messages("WaitForFirstConsumer"))
    assert namespace.read(waiting)["status"]["phase"] == "Pending"


@pytest.mark.parametrize(
    ("provisioner", "spec", "expected"),
    [
        ("disks.example.com", {}, True),
        ("kubernetes.io/no-provisioner", {}, False),
        ("", {}, False),
        ("disks.example.com", {"volumeName": "pvc-1"}, False),
        ("disks.example.com", {"selector": {"matchLabels": {"disk": "fast"}}}, False),
    ],
)
def test_only_claims_for_a_provisioner_wait(provisioner: str, spec: dict[str, Any], expected: bool) -> None:
    """A claim waits once it is marked for a provisioner, unless it has a volume or selects one."""
    annotations = {"volume.kubernetes.io/storage-provisioner": provisioner} if provisioner else {}
    assert is_waiting({"metadata": {"annotations": annotations}, "spec": spec}) is expected
