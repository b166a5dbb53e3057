"""What is decided without a plane: what pods need, whom faults befall, what is told of a change."""

from typing import Any

import pytest

from todo_embedded.controlplane import pod_references
from todo_embedded.controlplane.api_client import collection
from todo_embedded.controlplane.kubelet_events import events_between
from todo_embedded.controlplane.pod_annotations import Fate, Kind, fate_of
from todo_embedded.controlplane.pod_faults import Crash, Fault, workload_of
from todo_embedded.controlplane.simulated_kubelet import course


def pod(
    *, owner: tuple[str, str] | None = None, labels: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    """A pod of the namespace `shop` with one container, `web`."""
    meta: dict[str, Any] = {"name": "web-1", "namespace": "shop", "uid": "1", "labels": labels or {}}
    if owner:
        meta["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    return {
        "metadata": meta,
        "spec": {"restartPolicy": "Always", "containers": [{"name": "web", "image": "web:1"}]} | spec,
    }


def complaints(volume: dict[str, Any], found: dict[str, Any] | None) -> list[str]:
    """What is said when each object that a volume needs is found like this."""
    needed = pod_references.of_volumes(pod(volumes=[{"name": "files"} | volume]))
    return [said for reference in needed if (said := reference.complaint(found))]


def test_projected_volume_needs_each_of_its_sources() -> None:
    """Sources that are optional, and those that are no objects, are not missed."""
    sources = [
        {"secret": {"name": "tls"}},
        {"configMap": {"name": "settings"}},
        {"secret": {"name": "extra", "optional": True}},
        {"serviceAccountToken": {"path": "token"}},
    ]
    assert complaints({"projected": {"sources": sources}}, None) == [
        'MountVolume.SetUp failed for volume "files" : secret "tls" not found',
        'MountVolume.SetUp failed for volume "files" : configmap "settings" not found',
    ]


def test_mounted_keys_are_missed_in_the_words_of_their_kind() -> None:
    """Only keys that are listed are needed."""
    secret = {"secret": {"secretName": "tls", "items": [{"key": "tls.key", "path": "k"}]}}
    config = {"configMap": {"name": "settings", "items": [{"key": "url", "path": "u"}]}}
    prefix = 'MountVolume.SetUp failed for volume "files" : '
    assert complaints(secret, {"data": {}}) == [f"{prefix}references non-existent secret key: tls.key"]
    assert complaints(config, {}) == [f"{prefix}configmap references non-existent config key: url"]
    assert complaints(config, {"binaryData": {"url": "eA=="}}) == []


def test_variables_are_looked_for_in_the_order_of_a_kubelet() -> None:
    """Whole objects first, then single keys; what is optional is not looked for."""
    container = {
        "envFrom": [{"secretRef": {"name": "a"}}],
        "env": [
            {"name": "PLAIN", "value": "1"},
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "b", "key": "k"}}},
            {"name": "C", "valueFrom": {"secretKeyRef": {"name": "c", "key": "k", "optional": True}}},
        ],
    }
    assert [(one.kind, one.name) for one in pod_references.of_container(container, "shop")] == [
        ("Secret", "a"),
        ("ConfigMap", "b"),
    ]


@pytest.mark.parametrize(
    ("owner", "labels", "name"),
    [
        (("ReplicaSet", "web-abc"), {"pod-template-hash": "abc"}, "web"),
        (("ReplicaSet", "web-abc"), {}, "web-abc"),
        (("Job", "migrate"), {}, "migrate"),
        (None, {}, "web-1"),
    ],
)
def test_workload_of_a_pod(owner: tuple[str, str] | None, labels: dict[str, str], name: str) -> None:
    """A pod belongs to the Deployment behind its ReplicaSet, to its owner, or to itself."""
    assert workload_of(pod(owner=owner, labels=labels)) == name


@pytest.mark.parametrize(
    ("fault", "is_meant"),
    [
        (Fault(), True),
        (Fault(namespace="shop", workload="web-1", labels={"app": "web"}, container="web"), True),
        (Fault(namespace="other"), False),
        (Fault(workload="worker"), False),
        (Fault(labels={"app": "worker"}), False),
        (Fault(container="daprd"), False),
    ],
)
def test_fault_befalls_only_who_matches_all_it_names(fault: Fault, is_meant: bool) -> None:
    """Nothing named means everyone; a container that a pod does not have cannot fail there."""
    assert fault.befalls(pod(labels={"app": "web", "tier": "front"})) is is_meant


def test_first_fault_counts_and_restart_policy_decides() -> None:
    """A container that may not be restarted takes its pod along."""
    faults = [Crash(workload="other"), Crash(exit_code=137, reason="OOMKilled"), Crash()]
    fate = Fate(Kind.CRASHING, "web", reason="OOMKilled", exit_code=137)
    assert course(pod(), faults) == fate
    assert course(pod(restartPolicy="Never"), faults).kind is Kind.FAILING
    assert course(pod(owner=("Job", "migrate")), []).kind is Kind.COMPLETING


def test_marks_are_read_back() -> None:
    """A fate survives being written on a pod."""
    fate = Fate(Kind.REFUSED, "web", "not found", "Error", 3)
    marked = pod()
    marked["metadata"]["annotations"] = fate.annotations()
    assert fate_of(marked) == fate
    assert fate_of(pod() | {"metadata": {"name": "web-1"}}) is None


def with_status(state: dict[str, Any], *, restarts: int = 0) -> dict[str, Any]:
    """The pod with its container in a state."""
    status = {"name": "web", "image": "web:1", "state": state, "ready": True, "restartCount": restarts}
    return pod() | {"status": {"containerStatuses": [status]}}


def test_restart_is_told_and_what_stays_is_not() -> None:
    """A container that runs on is no news; one that runs anew is."""
    first, again = with_status({"running": {}}), with_status({"running": {}}, restarts=1)
    assert list(events_between(first, first)) == []
    assert [event.reason for event in events_between(first, again)] == ["Pulled", "Created", "Started"]


@pytest.mark.parametrize(
    ("version", "kind", "path"),
    [
        ("v1", "Node", "api/v1/nodes"),
        ("networking.k8s.io/v1", "IngressClass", "apis/networking.k8s.io/v1/ingressclasses"),
        ("dapr.io/v1alpha1", "Resiliency", "apis/dapr.io/v1alpha1/resiliencies"),
    ],
)
def test_collection_of_a_kind(version: str, kind: str, path: str) -> None:
    """Plurals are those of Kubernetes' own rule."""
    assert collection({"apiVersion": version, "kind": kind, "metadata": {}}) == path
