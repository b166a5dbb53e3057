"""What is decided without a control plane: references of pods, matching of faults, events of changes."""

from typing import Any

import pytest

from todo_embedded.controlplane import pod_references
from todo_embedded.controlplane.kubelet_events import events_between
from todo_embedded.controlplane.object_paths import collection
from todo_embedded.controlplane.pod_annotations import BehaviourKind, PodBehaviour, behaviour_of
from todo_embedded.controlplane.pod_faults import Crash, PodFault, workload_of
from todo_embedded.controlplane.simulated_kubelet import started_behaviour


def pod(
    *, owner: tuple[str, str] | None = None, labels: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    """Returns a pod in the namespace `shop` with one container, `web`."""
    meta: dict[str, Any] = {"name": "web-1", "namespace": "shop", "uid": "1", "labels": labels or {}}
    if owner:
        meta["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    return {
        "metadata": meta,
        "spec": {"restartPolicy": "Always", "containers": [{"name": "web", "image": "web:1"}]} | spec,
    }


def complaints(volume: dict[str, Any], found: dict[str, Any] | None) -> list[str]:
    """Returns the kubelet's messages when every object that a volume needs is as `found`."""
    needed = pod_references.of_volumes({"volumes": [{"name": "files"} | volume]}, "shop")
    return [said for reference in needed if (said := reference.complaint(found))]


def test_projected_volume_needs_each_of_its_sources() -> None:
    """A missing source is reported, unless it is optional or no object."""
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


def test_missing_mounted_keys_are_reported_in_the_words_of_their_kind() -> None:
    """Keys under `items` are required; a Secret and a ConfigMap have different messages."""
    secret = {"secret": {"secretName": "tls", "items": [{"key": "tls.key", "path": "k"}]}}
    config = {"configMap": {"name": "settings", "items": [{"key": "url", "path": "u"}]}}
    prefix = 'MountVolume.SetUp failed for volume "files" : '
    assert complaints(secret, {"data": {}}) == [f"{prefix}references non-existent secret key: tls.key"]
    assert complaints(config, {}) == [f"{prefix}configmap references non-existent config key: url"]
    assert complaints(config, {"binaryData": {"url": "eA=="}}) == []


def test_variables_are_checked_in_the_order_of_a_kubelet() -> None:
    """`envFrom` comes before `env`, and optional references are left out."""
    container = {
        "envFrom": [{"secretRef": {"name": "a"}}],
        "env": [
            {"name": "PLAIN", "value": "1"},
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "b", "key": "k"}}},
            {"name": "C", "valueFrom": {"secretKeyRef": {"name": "c", "key": "k", "optional": True}}},
        ],
    }
    assert [
        (reference.kind, reference.name) for reference in pod_references.of_container(container, "shop")
    ] == [
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
    """A pod's workload is the Deployment of its ReplicaSet, its owner, or the pod itself."""
    assert workload_of(pod(owner=owner, labels=labels)) == name


@pytest.mark.parametrize(
    ("fault", "is_affected"),
    [
        (PodFault(), True),
        (PodFault(namespace="shop", workload="web-1", labels={"app": "web"}, container="web"), True),
        (PodFault(namespace="other"), False),
        (PodFault(workload="worker"), False),
        (PodFault(labels={"app": "worker"}), False),
        (PodFault(container="daprd"), False),
    ],
)
def test_fault_affects_only_pods_that_match_every_criterion(fault: PodFault, is_affected: bool) -> None:
    """A fault without criteria affects every pod; one of a container only pods that have it."""
    assert fault.affects(pod(labels={"app": "web", "tier": "front"})) is is_affected


def test_first_fault_counts_and_restart_policy_decides() -> None:
    """The first matching fault wins, and a container that is never restarted fails its pod."""
    faults = [Crash(workload="other"), Crash(exit_code=137, reason="OOMKilled"), Crash()]
    behaviour = PodBehaviour(BehaviourKind.CRASHING, "web", reason="OOMKilled", exit_code=137)
    assert started_behaviour(pod(), faults) == behaviour
    assert started_behaviour(pod(restartPolicy="Never"), faults).kind is BehaviourKind.FAILING
    assert started_behaviour(pod(owner=("Job", "migrate")), []).kind is BehaviourKind.COMPLETING


def test_annotations_are_read_back() -> None:
    """A behaviour is the same after it was written into annotations and read again."""
    behaviour = PodBehaviour(BehaviourKind.REFUSED, "web", "not found", "Error", 3)
    annotated = pod()
    annotated["metadata"]["annotations"] = behaviour.annotations()
    assert behaviour_of(annotated) == behaviour
    assert behaviour_of(pod() | {"metadata": {"name": "web-1"}}) is None


def with_status(state: dict[str, Any], *, restarts: int = 0) -> dict[str, Any]:
    """Returns the pod with its container in a state."""
    status = {"name": "web", "image": "web:1", "state": state, "ready": True, "restartCount": restarts}
    return pod() | {"status": {"containerStatuses": [status]}}


def test_restart_makes_events_and_no_change_makes_none() -> None:
    """A restarted container has the three events of a start; an unchanged one has none."""
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
    """The path of a collection has the plural that Kubernetes guesses for the kind."""
    assert collection({"apiVersion": version, "kind": kind, "metadata": {}}) == path
