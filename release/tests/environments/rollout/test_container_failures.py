"""Which state of a container means which failure, and how long it must last."""

from typing import Any

import pytest

from todo_release.environments.rollout import causes
from todo_release.environments.rollout.causes import Cause, RolloutFailure

from ...doubles.kubernetes_objects import (
    IMAGE,
    container,
    event,
    pod,
)
from .possible_failures_of import ENDED, of_pods

OLD_KUBELET = f'Failed to pull image "{IMAGE}": rpc error: code = NotFound desc = {IMAGE}: not found'


def of_container(
    *containers: dict[str, Any], events: list[dict[str, Any]] | None = None
) -> list[RolloutFailure]:
    """Returns the possible failures of one pod with these containers."""
    return of_pods(pod(*containers), events=events)


CONTAINER_CASES: list[tuple[str, dict[str, Any], list[dict[str, Any]], Cause, float, str]] = [
    (
        "no such image",
        container(
            waiting="ErrImagePull", message=f'failed to resolve reference "{IMAGE}": {IMAGE}: not found'
        ),
        [],
        causes.IMAGE_MISSING,
        5,
        f"there is no image {IMAGE}",
    ),
    (
        "no such image, reported by an event only",
        container(waiting="ImagePullBackOff", message=f'Back-off pulling image "{IMAGE}"'),
        [event("uid-web-2-a", "Failed", "Error: ErrImagePull"), event("uid-web-2-a", "Failed", OLD_KUBELET)],
        causes.IMAGE_MISSING,
        5,
        f"there is no image {IMAGE}",
    ),
    (
        "not allowed to pull",
        container(waiting="ErrImagePull", message="failed to authorize: unexpected status: 401 Unauthorized"),
        [],
        causes.IMAGE_DENIED,
        30,
        f"the registry does not let the node pull {IMAGE}",
    ),
    (
        "not allowed to pull because the pull secret is missing",
        container(waiting="ErrImagePull", message="pull access denied, repository does not exist"),
        [event("uid-web-2-a", "FailedToRetrieveImagePullSecret", "Unable to retrieve ghcr")],
        causes.IMAGE_DENIED,
        30,
        f"the registry does not let the node pull {IMAGE}; Unable to retrieve ghcr",
    ),
    (
        "registry unreachable; digits of the digest are not an HTTP status",
        container(waiting="ErrImagePull", message=f"{IMAGE}: dial tcp 10.0.0.1:443: i/o timeout"),
        [],
        causes.IMAGE_UNREACHABLE,
        30,
        f"{IMAGE} cannot be pulled: the image: dial tcp 10.0.0.1:443: i/o timeout",
    ),
    (
        "not a name",
        container(waiting="InvalidImageName", image="Web:1"),
        [],
        causes.IMAGE_MISSING,
        0,
        "'Web:1' is not the name of an image",
    ),
    (
        "never pulled",
        container(waiting="ErrImageNeverPull"),
        [],
        causes.IMAGE_MISSING,
        0,
        f"there is no image {IMAGE}",
    ),
    (
        "no such secret",
        container(waiting="CreateContainerConfigError", message='secret "app-secrets" not found'),
        [],
        causes.CONFIG_MISSING,
        5,
        "there is no Secret 'app-secrets', which container web of pod web-2-a needs",
    ),
    (
        "no such config map",
        container(waiting="CreateContainerConfigError", message='configmap "app" not found'),
        [],
        causes.CONFIG_MISSING,
        5,
        "there is no ConfigMap 'app', which container web of pod web-2-a needs",
    ),
    (
        "no such key",
        container(
            waiting="CreateContainerConfigError",
            message="couldn't find key DATABASE_URL in Secret prod/app-secrets",
        ),
        [],
        causes.CONFIG_MISSING,
        5,
        "Secret 'app-secrets' has no key 'DATABASE_URL', which container web of pod web-2-a needs",
    ),
    (
        "a cache that is late",
        container(
            waiting="CreateContainerConfigError", message="failed to sync secret cache: timed out waiting"
        ),
        [],
        causes.CANNOT_START,
        45,
        "container web of pod web-2-a cannot be configured: failed to sync secret cache: timed out waiting",
    ),
    (
        "not allowed to run",
        container(waiting="CreateContainerConfigError", message="image will run as root"),
        [],
        causes.CANNOT_START,
        3,
        "container web of pod web-2-a cannot be configured: image will run as root",
    ),
    (
        "no such program",
        container(waiting="RunContainerError", message='exec: "/nope": no such file'),
        [],
        causes.CANNOT_START,
        3,
        'container web of pod web-2-a does not start: exec: "/nope": no such file',
    ),
    (
        "no such program, restarted",
        container(
            waiting="CrashLoopBackOff",
            restarts=1,
            last={"exitCode": 128, "reason": "StartError", "message": "x"},
        ),
        [],
        causes.CANNOT_START,
        3,
        "container web of pod web-2-a does not start: x",
    ),
    (
        "crashed twice, in back-off",
        container(waiting="CrashLoopBackOff", restarts=1, last=ENDED),
        [],
        causes.CRASH_LOOP,
        8,
        "container web of pod web-2-a ended 2 times, last with exit code 1",
    ),
    (
        "crashed twice, just ended",
        container(ended=ENDED, restarts=1),
        [],
        causes.CRASH_LOOP,
        8,
        "container web of pod web-2-a ended 2 times, last with exit code 1",
    ),
    (
        "crashed without a known exit code",
        container(waiting="CrashLoopBackOff", restarts=1),
        [],
        causes.CRASH_LOOP,
        8,
        "container web of pod web-2-a ended 2 times",
    ),
    (
        "out of memory",
        container(waiting="CrashLoopBackOff", restarts=1, last={"exitCode": 137, "reason": "OOMKilled"}),
        [],
        causes.OUT_OF_MEMORY,
        8,
        "container web of pod web-2-a was killed at its memory limit",
    ),
    (
        "killed by its probe",
        container(waiting="CrashLoopBackOff", restarts=1, last={"exitCode": 137, "reason": "Error"}),
        [event("uid-web-2-a", "Killing", "Container web failed liveness probe, will be restarted")],
        causes.PROBE_FAILING,
        8,
        "container web of pod web-2-a was restarted because its liveness probe failed",
    ),
    (
        "another container was killed by its probe",
        container(waiting="CrashLoopBackOff", restarts=1, last=ENDED),
        [event("uid-web-2-a", "Killing", "Container side failed startup probe, will be restarted")],
        causes.CRASH_LOOP,
        8,
        "container web of pod web-2-a ended 2 times, last with exit code 1",
    ),
    (
        "never ready, short probes",
        container(running=True, spec={"readinessProbe": {"periodSeconds": 1}}),
        [event("uid-web-2-a", "Unhealthy", "Readiness probe failed:\ncode: 503")],
        causes.PROBE_FAILING,
        600,
        "container web of pod web-2-a runs but is not ready after 600 s (Readiness probe failed: code: 503)",
    ),
    (
        "never ready and no probe has failed yet, long probes",
        container(running=True, spec={"startupProbe": {"periodSeconds": 10, "failureThreshold": 90}}),
        [],
        causes.STALLED,
        901,
        "container web of pod web-2-a runs but is not ready after 901 s",
    ),
]


@pytest.mark.parametrize(
    ("broken", "events", "cause", "grace_seconds", "message"),
    [case[1:] for case in CONTAINER_CASES],
    ids=[case[0] for case in CONTAINER_CASES],
)
def test_container_failure_has_the_cause(
    broken: dict[str, Any], events: list[dict[str, Any]], cause: Cause, grace_seconds: float, message: str
) -> None:
    """A broken container is one possible failure, with a cause that a person can act on."""
    (failure,) = of_container(broken, events=events)
    assert (failure.cause, failure.grace_seconds, failure.message) == (cause, grace_seconds, message)
    assert (failure.workload, failure.pod) == ("Deployment/web", "web-2-a")


@pytest.mark.parametrize(
    "healthy",
    [
        container(waiting="ContainerCreating"),
        container(waiting="PodInitializing"),
        container(running=True, ready=True),
        container(ended=ENDED),
        container(waiting="CrashLoopBackOff", last=ENDED),
        container(running=True, restarts=1, ready=True, last=ENDED),
        container("web", running=True, is_init=True),
        container("web", ended={"exitCode": 0, "reason": "Completed"}, restarts=1, is_init=True),
    ],
    ids=[
        "being created",
        "waiting for init containers",
        "ready",
        "ended once",
        "in back-off after ending once",
        "recovered",
        "init container running",
        "init container that succeeded at the second attempt",
    ],
)
def test_container_that_only_needs_time_is_no_failure(healthy: dict[str, Any]) -> None:
    """Normal states of a starting pod and a single crash are not failures."""
    assert of_container(healthy) == []


def test_application_may_crash_once_more_while_its_sidecar_is_not_ready() -> None:
    """An application that ends because its sidecar is late recovers when the sidecar is ready."""
    crashed = container(waiting="CrashLoopBackOff", restarts=1, last=ENDED)
    late = container("daprd", running=True)
    assert [failure.cause for failure in of_container(crashed, late)] == [causes.SIDECAR_FAILING]
    crashed["status"]["restartCount"] = 2
    assert [failure.cause for failure in of_container(crashed, late)] == [
        causes.CRASH_LOOP,
        causes.SIDECAR_FAILING,
    ]


def test_crashing_init_container_of_the_template_is_a_crash_loop() -> None:
    """An init container of the template belongs to the application and is not a sidecar."""
    crashed = container("migrate", waiting="CrashLoopBackOff", restarts=1, last=ENDED, is_init=True)
    (failure,) = of_pods(pod(crashed, container(waiting="PodInitializing")), containers=("web", "migrate"))
    assert (failure.cause, failure.container) == (causes.CRASH_LOOP, "migrate")


def test_container_that_the_template_does_not_have_is_a_sidecar() -> None:
    """Injected sidecars are recognised without knowing their names."""
    (failure,) = of_container(container(running=True, ready=True), container("daprd", running=True))
    assert (failure.cause, failure.grace_seconds, failure.container) == (causes.SIDECAR_FAILING, 600, "daprd")


def test_crashing_sidecar_is_a_sidecar_failure() -> None:
    """A daprd that ends because of a wrong component is not a failure of the application."""
    (failure,) = of_container(
        container(running=True, ready=True), container("daprd", waiting="CrashLoopBackOff", restarts=1)
    )
    assert (failure.cause, failure.message) == (
        causes.SIDECAR_FAILING,
        "container daprd of pod web-2-a ended 2 times",
    )


def test_native_sidecar_of_the_template_is_a_sidecar() -> None:
    """An init container with restartPolicy Always is a sidecar, although the template has it."""
    side = container("log", running=True, is_init=True, spec={"restartPolicy": "Always"})
    failures = of_pods(pod(side, container(running=True, ready=True)), containers=("web", "log"))
    assert [failure.cause for failure in failures] == [causes.SIDECAR_FAILING]


def test_pod_without_its_injected_sidecar_fails_at_once() -> None:
    """A pod without its daprd is a failure, because Dapr's webhook fails open and nothing else reports it."""
    bare = pod(container(running=True, ready=True), annotations={"dapr.io/enabled": "true"})
    (failure,) = of_pods(bare)
    assert (failure.cause, failure.grace_seconds) == (causes.SIDECAR_FAILING, 0)
    full = pod(
        container(running=True, ready=True),
        container("daprd", running=True, ready=True),
        annotations={"dapr.io/enabled": "true"},
    )
    assert of_pods(full) == []


@pytest.mark.parametrize(
    ("event_message", "message"),
    [
        (
            'MountVolume.SetUp failed: secret "tls" not found',
            "there is no Secret 'tls', which pod web-2-a mounts",
        ),
        (
            "references non-existent config key: a.yaml",
            "its ConfigMap has no key 'a.yaml', which pod web-2-a mounts",
        ),
        (
            "references non-existent secret key: tls.crt",
            "its Secret has no key 'tls.crt', which pod web-2-a mounts",
        ),
    ],
)
def test_missing_mount_is_named(event_message: str, message: str) -> None:
    """What a pod cannot mount is read from the kubelet's event, because its containers report nothing."""
    (failure,) = of_container(
        container(waiting="ContainerCreating"), events=[event("uid-web-2-a", "FailedMount", event_message)]
    )
    assert (failure.cause, failure.grace_seconds, failure.message) == (causes.CONFIG_MISSING, 5, message)


@pytest.mark.parametrize(
    ("healthy", "event_message"),
    [
        (container(waiting="ContainerCreating"), "timed out waiting for the volume to attach"),
        (container(running=True, ready=True), 'secret "tls" not found'),
    ],
    ids=["another problem with a volume", "mounted meanwhile"],
)
def test_other_mount_event_is_no_failure(healthy: dict[str, Any], event_message: str) -> None:
    """A slow volume is not a failure, and neither is the event of a volume that is mounted now."""
    assert of_container(healthy, events=[event("uid-web-2-a", "FailedMount", event_message)]) == []
