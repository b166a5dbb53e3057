"""A watch on a real API server and its controllers: which kinds are done when, and where they may be."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from todo_embedded.controlplane.api_client import ApiClient
from todo_embedded.controlplane.object_paths import KubeObject, location
from todo_embedded.controlplane.pod_faults import Crash
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.manifest import awaited_objects_of
from todo_release.config.rollout import RolloutSettings
from todo_release.environments.rollout import causes
from todo_release.environments.rollout.patience import Patience
from todo_release.environments.rollout.watcher import Failed, Ready, RolloutProgress, watch
from todo_release.rehearsal import cluster_fixture

from .shared_control_plane import SharedControlPlane
from .waiting import wait_until

NAMESPACES = ("watched", "watched-elsewhere")


@pytest.fixture
def api(shared: SharedControlPlane) -> Iterator[ApiClient]:
    """Returns the API of the plane with two namespaces, which are deleted afterwards."""
    api = shared.plane.api
    for name in NAMESPACES:
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield api
    shared.plane.kubelet.set_faults()
    for name in NAMESPACES:
        api.delete(f"api/v1/namespaces/{name}")
    wait_until(lambda: not names(api).intersection(NAMESPACES))


def names(api: ApiClient) -> set[str]:
    """Returns the names of all namespaces."""
    return {namespace["metadata"]["name"] for namespace in api.items("api/v1/namespaces")}


def workload(kind: str, name: str, namespace: str = "watched", **spec: Any) -> KubeObject:
    """Returns a workload of one container."""
    labels = {"app": name}
    pod: dict[str, Any] = {"containers": [{"name": "web", "image": "web:1"}]}
    if kind == "Job":
        pod |= {"restartPolicy": "Never"}
    else:
        spec |= {"selector": {"matchLabels": labels}}
    return {
        "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"metadata": {"labels": labels}, "spec": pod}, **spec},
    }


def watched(
    shared: SharedControlPlane, *objects: KubeObject, patience: Patience | None = None, seconds: float = 30
) -> tuple[Ready | Failed, list[RolloutProgress]]:
    """Returns the result of a watch of objects that are applied already, and its progress."""
    reported: list[RolloutProgress] = []
    text = "\n---\n".join(yaml.safe_dump(dict(item)) for item in objects)
    result = watch(
        Cluster.connect(cluster_fixture.CONTEXT, shared.plane.kubeconfig),
        "watched",
        awaited_objects_of(text, "watched"),
        deadline_seconds=seconds,
        on_progress=reported.append,
        patience=patience,
    )
    return result, reported


def test_watch_ends_when_the_controllers_are_done(shared: SharedControlPlane, api: ApiClient) -> None:
    """Pods that only a person replaces keep the old template, and a suspended Job has none."""
    store = workload(
        "StatefulSet", "store", serviceName="store", replicas=2, updateStrategy={"type": "OnDelete"}
    )
    queue = workload(
        "StatefulSet",
        "queue",
        serviceName="queue",
        replicas=2,
        updateStrategy={"rollingUpdate": {"partition": 1}},
    )
    agent = workload("DaemonSet", "agent", updateStrategy={"type": "OnDelete"})
    elsewhere = workload("Deployment", "agent", "watched-elsewhere")
    objects = [store, queue, agent, elsewhere, workload("Job", "reindex", suspend=True)]
    for item in objects:
        api.create(item)
    assert isinstance(watched(shared, *objects)[0], Ready)
    changed = {"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}}
    for item in (store, queue, agent):
        api.merge(location(item), changed)
    result, reported = watched(shared, *objects)
    assert isinstance(result, Ready)
    assert "Job/reindex is suspended: it is not waited for" in str(reported[-1])
    revisions = {
        pod["metadata"]["labels"]["controller-revision-hash"]
        for pod in api.items("api/v1/namespaces/watched/pods")
        if pod["metadata"]["labels"]["app"] == "queue"
    }
    assert len(revisions) == 2


def test_time_out_names_the_workload_of_another_namespace(shared: SharedControlPlane, api: ApiClient) -> None:
    """It was not created there."""
    result, _ = watched(shared, workload("Deployment", "agent", "watched-elsewhere"), seconds=1)
    assert isinstance(result, Failed)
    assert result.failure.message == (
        "the deadline has passed (Deployment/agent -n watched-elsewhere does not exist)"
    )


def test_container_that_recovers_after_some_crashes_does_not_fail(
    shared: SharedControlPlane, api: ApiClient
) -> None:
    """What it depends on came late; the watch said meanwhile until when it would wait."""
    web = workload("Deployment", "web")
    shared.plane.kubelet.set_faults(Crash(namespace="watched"))
    api.create(web)
    wait_until(lambda: restarts(api) >= 2)
    shared.plane.kubelet.set_faults()
    assert isinstance(watched(shared, web)[0], Ready)


def test_container_that_ends_again_and_again_fails(shared: SharedControlPlane, api: ApiClient) -> None:
    """Its suspicion is told first."""
    web = workload("Deployment", "web")
    shared.plane.kubelet.set_faults(Crash(namespace="watched"))
    api.create(web)
    patience = Patience(settings=RolloutSettings(crash_seconds=6))
    result, reported = watched(shared, web, patience=patience)
    assert isinstance(result, Failed)
    assert result.failure.cause is causes.CRASH_LOOP
    assert result.seconds < 15
    assert any("unless it recovers" in str(progress) for progress in reported)


def restarts(api: ApiClient) -> int:
    """Returns how often containers were restarted."""
    return sum(
        status["restartCount"]
        for pod in api.items("api/v1/namespaces/watched/pods")
        for status in pod["status"].get("containerStatuses") or ()
    )
