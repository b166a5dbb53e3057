"""Nobody notices what happens to the pods: constant load on every route and open streams, meanwhile.

Each test does one thing to production and prints a row: requests, failed ones, events, lost ones, and how
many streams show at the end what the server has. The ingress of this cluster keeps sending to terminating
pods until they are unready, the harder case; it is a single pod and is not restarted.
"""

import datetime
import time
from collections.abc import Callable

import pytest
from kubernetes import client

from todo_synthetic_user.origin import Origin

from .application_load import BackgroundLoad, problems_of, production, record
from .conftest import RepositoryClone
from .engine_run import wait_until

NAMESPACE = "production"
SERVICES = ("frontend", "backend", "mcp", "notification", "sse-gateway")
SETTLE_SECONDS = 5  # of load after the last pod is gone
ROLLOUT_SECONDS = 300

Measure = Callable[[str, object], None]


@pytest.fixture(scope="module")
def origin(clone: RepositoryClone, first_release: str) -> Origin:
    """Production, with two replicas of every service."""
    address = production(clone)
    wait_until_calm()
    return address


@pytest.fixture(scope="module")
def next_version(clone: RepositoryClone, origin: Origin) -> str:
    """A version that changes every service, released to staging."""
    changed = {
        "libs/todo_kit/src/todo_kit/__init__.py": "CHANGED_FOR_0_2_0 = True",
        "services/frontend/src/server/log.ts": "export const changedFor020 = true;",
    }
    for path, line in changed.items():
        file = clone.path / path
        file.write_text(f"{file.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    clone.git("commit", "--quiet", "--all", "--message=every service: Change it.")
    clone.inv("release", "--version=0.2.0", "--to=staging", "--yes")
    return "0.2.0"


def pods(service: str = "") -> list[client.V1Pod]:
    """Returns the pods of a service, or of all services, terminating ones included."""
    selector = f"app.kubernetes.io/name={service}" if service else "app.kubernetes.io/instance=todo-app"
    return list(client.CoreV1Api().list_namespaced_pod(NAMESPACE, label_selector=selector).items)


def deployments() -> list[client.V1Deployment]:
    """Returns the Deployments of production."""
    return list(client.AppsV1Api().list_namespaced_deployment(NAMESPACE).items)


def is_calm() -> bool:
    """Whether every Deployment has all its replicas, of the current version, and no pod is terminating."""
    for deployment in deployments():
        status, wanted = deployment.status, deployment.spec.replicas
        counts = (status.replicas, status.updated_replicas, status.available_replicas)
        if status.observed_generation != deployment.metadata.generation or counts != (wanted,) * 3:
            return False
    return not any(pod.metadata.deletion_timestamp for pod in pods())


def wait_until_calm() -> None:
    """Returns when nothing changes in production any more."""
    wait_until(is_calm, timeout_seconds=ROLLOUT_SECONDS, what="all replicas available, no pod terminating")


def test_load_alone_fails_nothing(origin: Origin, record_property: Measure) -> None:
    """The measurement itself: without any change every request is answered."""
    with BackgroundLoad(origin) as load:
        time.sleep(20)
    record(load.report, record_property)
    assert problems_of(load.report) == []


def test_upgrade_of_every_service(
    clone: RepositoryClone, origin: Origin, next_version: str, record_property: Measure
) -> None:
    """A release replaces all pods of all services."""
    before = {pod.metadata.name for pod in pods()}
    with BackgroundLoad(origin) as load:
        clone.inv("release", f"--version={next_version}", "--yes")
        wait_until_calm()
        time.sleep(SETTLE_SECONDS)
    record(load.report, record_property)
    assert not before & {pod.metadata.name for pod in pods()}
    assert problems_of(load.report) == []


def test_rollback_of_every_service(
    clone: RepositoryClone, origin: Origin, next_version: str, record_property: Measure
) -> None:
    """The version before comes back, pod by pod."""
    before = {pod.metadata.name for pod in pods()}
    with BackgroundLoad(origin) as load:
        clone.inv("rollback", f"--env={NAMESPACE}", "--yes")
        wait_until_calm()
        time.sleep(SETTLE_SECONDS)
    record(load.report, record_property)
    assert not before & {pod.metadata.name for pod in pods()}
    assert problems_of(load.report) == []


def test_eviction_of_each_pod(origin: Origin, record_property: Measure) -> None:
    """A drain of a node evicts its pods: one of each service at a time, as their disruption budgets allow."""
    with BackgroundLoad(origin) as load:
        for service in SERVICES:
            for pod in pods(service):
                evict(pod.metadata.name)
                wait_until_calm()
        time.sleep(SETTLE_SECONDS)
    record(load.report, record_property)
    assert problems_of(load.report) == []


def evict(pod: str) -> None:
    """Evicts a pod with the API that a drain of a node uses."""
    client.CoreV1Api().create_namespaced_pod_eviction(
        pod, NAMESPACE, client.V1Eviction(metadata=client.V1ObjectMeta(name=pod, namespace=NAMESPACE))
    )
    wait_until(
        lambda: all(item.metadata.name != pod or item.metadata.deletion_timestamp for item in pods()),
        timeout_seconds=30,
        what=f"{pod} terminates",
    )


def test_roll_of_the_event_gateway(origin: Origin, record_property: Measure) -> None:
    """Every stream moves to another pod and continues where it was."""
    restarted = {"kubectl.kubernetes.io/restartedAt": datetime.datetime.now(datetime.UTC).isoformat()}
    patch = {"spec": {"template": {"metadata": {"annotations": restarted}}}}
    with BackgroundLoad(origin) as load:
        client.AppsV1Api().patch_namespaced_deployment("todo-app-sse-gateway", NAMESPACE, patch)
        wait_until_calm()
        time.sleep(SETTLE_SECONDS)
    record(load.report, record_property)
    assert all(stream.opened > 1 for stream in load.report.streams)
    assert problems_of(load.report) == []


def test_scale_in(origin: Origin, record_property: Measure) -> None:
    """The autoscaler takes pods of the backend and of the gateway away."""
    for service in ("backend", "sse-gateway"):
        set_bounds(service, minimum=3, maximum=3)
    wait_until(lambda: replicas() == {2, 3}, timeout_seconds=90, what="3 replicas of two services")
    wait_until_calm()
    with BackgroundLoad(origin) as load:
        for service in ("backend", "sse-gateway"):
            set_bounds(service, minimum=2, maximum=2)
        wait_until(lambda: replicas() == {2}, timeout_seconds=90, what="2 replicas of every service")
        wait_until_calm()
        time.sleep(SETTLE_SECONDS)
    record(load.report, record_property)
    set_bounds("backend", minimum=2, maximum=4)
    assert problems_of(load.report) == []


def replicas() -> set[int]:
    """Returns the wanted numbers of replicas."""
    return {deployment.spec.replicas for deployment in deployments()}


def set_bounds(service: str, *, minimum: int, maximum: int) -> None:
    """Sets the bounds of a service's autoscaler."""
    patch = {"spec": {"minReplicas": minimum, "maxReplicas": maximum}}
    client.AutoscalingV2Api().patch_namespaced_horizontal_pod_autoscaler(
        f"todo-app-{service}-hpa", NAMESPACE, patch
    )
