"""Tests which snapshot means which failure, and how long it must last."""

from dataclasses import replace
from typing import Any

import pytest

from todo_release.config.rollout import RolloutSettings
from todo_release.environments.rollout import causes
from todo_release.environments.rollout.causes import CAUSES, Cause, RolloutFailure
from todo_release.environments.rollout.failure_detection import (
    FailureDetector,
    deadline_failure,
    first_failure,
    possible_failures,
    waiting_for,
)
from todo_release.environments.rollout.patience import Patience
from todo_release.environments.rollout.pod_failures import UNTIL_THE_END

from ...doubles.kubernetes_objects import (
    IMAGE,
    MIGRATE,
    NOTHING,
    WEB,
    condition,
    container,
    deployment,
    event,
    job,
    pod,
    snapshot,
    stateful_set,
)

QUOTA = (
    'pods "web-2-b" is forbidden: exceeded quota: compute, requested: requests.cpu=20m, '
    "used: requests.cpu=10m, limited: requests.cpu=15m"
)
UNSCHEDULABLE = condition(
    "PodScheduled",
    "False",
    reason="Unschedulable",
    message="0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No victims.",
)
ENDED = {"exitCode": 1, "reason": "Error"}
OLD_KUBELET = f'Failed to pull image "{IMAGE}": rpc error: code = NotFound desc = {IMAGE}: not found'


def of_pods(
    *pods: dict[str, Any],
    events: list[dict[str, Any]] | None = None,
    patience: Patience | None = None,
    **options: Any,
) -> list[RolloutFailure]:
    """Returns the possible failures of an applied Deployment with these new pods."""
    state = snapshot(deployment(**options), pods=list(pods), events=events)
    return possible_failures(state, NOTHING, is_applied=True, patience=patience)


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


def test_unschedulable_pod_fails_soon_when_nothing_can_help() -> None:
    """The message has the scheduler's reasons without its details about preemption."""
    (alone,) = of_pods(pod(container(), node="", scheduled=UNSCHEDULABLE))
    assert (alone.cause, alone.grace_seconds) == (causes.UNSCHEDULABLE, 12)
    assert alone.message == "pod web-2-a cannot be scheduled: 0/1 nodes are available: 1 Insufficient cpu"


def scheduling_event(reason: str, message: str = "", *, at: str = "2026-11-24T05:00:00Z") -> dict[str, Any]:
    """Returns an event of an autoscaler about the pod."""
    return event("uid-web-2-a", reason, message, at=at)


EARLIER = "2026-11-24T04:59:00Z"
WORDS_OF_AUTOSCALERS = [
    ("scale-up", [scheduling_event("TriggeredScaleUp")], True),
    ("Karpenter", [scheduling_event("Nominated")], True),
    (
        "none fits",
        [scheduling_event("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max reached")],
        False,
    ),
    ("for now", [scheduling_event("NotTriggerScaleUp", "1 in backoff after failed scale-up")], True),
    (
        "given up",
        [scheduling_event("TriggeredScaleUp", at=EARLIER), scheduling_event("NotTriggerScaleUp", "no group")],
        False,
    ),
]


@pytest.mark.parametrize(
    ("events", "is_helped"),
    [case[1:] for case in WORDS_OF_AUTOSCALERS],
    ids=[case[0] for case in WORDS_OF_AUTOSCALERS],
)
def test_newest_word_of_the_autoscaler_decides(events: list[dict[str, Any]], is_helped: bool) -> None:
    """It wins over what release.yaml says of the node pools."""
    waiting = pod(container(), node="", scheduled=UNSCHEDULABLE)
    (failure,) = of_pods(waiting, events=events, patience=Patience(may_grow=not is_helped))
    assert (failure.grace_seconds == UNTIL_THE_END) is is_helped


def test_unschedulable_pod_waits_for_a_pool_a_preemption_and_a_volume() -> None:
    """Each of them may make room without a person."""
    waiting = pod(container(), node="", scheduled=UNSCHEDULABLE)
    (growing,) = of_pods(waiting, patience=Patience(may_grow=True))
    nominated = pod(container(), node="", scheduled=UNSCHEDULABLE)
    nominated["status"]["nominatedNodeName"] = "node-1"
    (preempting,) = of_pods(nominated)
    unbound = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    scheduled = condition("PodScheduled", "False", reason="Unschedulable", message=unbound)
    (binding,) = of_pods(pod(container(), node="", scheduled=scheduled))
    assert [failure.grace_seconds for failure in (growing, preempting, binding)] == [UNTIL_THE_END] * 3


def test_no_node_comes_for_a_pod_of_very_low_priority() -> None:
    """The cluster autoscaler ignores such pods, so only other pods that go may make room."""
    waiting = pod(container(), node="", scheduled=UNSCHEDULABLE)
    waiting["spec"]["priority"] = -11
    (failure,) = of_pods(waiting, patience=Patience(may_grow=True))
    assert failure.grace_seconds == RolloutSettings().unschedulable_seconds


def test_progress_deadline_does_not_fail_a_pod_that_waits_for_a_node() -> None:
    """Preflight said that the autoscaler must add a node, so the rollout waits for it."""
    passed = condition("Progressing", "False", reason="ProgressDeadlineExceeded", message="timed out.")
    waiting = pod(container(), node="", scheduled=UNSCHEDULABLE)
    failures = of_pods(waiting, conditions=[passed], patience=Patience(may_grow=True))
    assert [failure.cause for failure in failures] == [causes.UNSCHEDULABLE]
    failures = of_pods(waiting, conditions=[passed])
    assert [failure.cause for failure in failures] == [causes.STALLED, causes.UNSCHEDULABLE]


def test_grace_begins_when_help_cannot_come_any_more() -> None:
    """A pool that has reached its maximum has just added a node; the pod may fit on it."""
    helped = RolloutFailure(causes.UNSCHEDULABLE, "Deployment/web", "x", UNTIL_THE_END, pod="a")
    alone = replace(helped, grace_seconds=12)
    detector = FailureDetector()
    assert [detector.detect([helped], now) for now in (0.0, 4.0, 8.0)] == [None] * 3
    assert [detector.detect([alone], now) for now in (12.0, 16.0, 20.0)] == [None] * 3
    assert detector.detect([alone], 24.0) == alone


def test_managed_secret_gets_the_time_of_its_controller() -> None:
    """A Secret that an object of the chart creates is missing for a while, for volumes and pulls too."""
    patience = Patience(managed_secrets=frozenset({"app", "pull"}))
    missing = pod(container(waiting="CreateContainerConfigError", message='secret "app" not found'))
    other = pod(container(waiting="CreateContainerConfigError", message='secret "apps" not found'))
    mounted = [event("uid-web-2-a", "FailedMount", 'secret "app" not found')]
    refused = pod(container(waiting="ErrImagePull", message="401 Unauthorized"))
    no_pull_secret = [
        event("uid-web-2-a", "FailedToRetrieveImagePullSecret", "Unable to retrieve some secrets (pull);")
    ]
    failures = [
        *of_pods(missing, patience=patience),
        *of_pods(other, patience=patience),
        *of_pods(pod(container(waiting="ContainerCreating")), events=mounted, patience=patience),
        *of_pods(refused, events=no_pull_secret, patience=patience),
    ]
    assert [failure.grace_seconds for failure in failures] == [120, 5, 120, 120]


def test_annotation_of_a_workload_wins_over_the_settings() -> None:
    """A program that ends until its database is there needs more time than others."""
    crashed = snapshot(
        deployment(annotations={"rollout.release-engine.dev/crash-seconds": "300"}),
        pods=[pod(container(waiting="CrashLoopBackOff", restarts=1, last=ENDED))],
    )
    patience = Patience(settings=RolloutSettings(crash_seconds=20))
    (failure,) = possible_failures(crashed, NOTHING, is_applied=True, patience=patience)
    assert failure.grace_seconds == 300


def test_readiness_alone_waits_for_the_progress_deadline_of_the_deployment() -> None:
    """Kubernetes itself gives a Deployment that long; settings may give it less."""
    unready = snapshot(deployment(progress_seconds=90), pods=[pod(container(running=True))])
    (failure,) = possible_failures(unready, NOTHING, is_applied=True)
    assert failure.grace_seconds == 90
    patience = Patience(settings=RolloutSettings(readiness_seconds=30))
    (sooner,) = possible_failures(unready, NOTHING, is_applied=True, patience=patience)
    assert sooner.grace_seconds == 30


def test_crash_loop_recovers_when_the_container_keeps_running() -> None:
    """A container that runs for a moment between two ends has not recovered; one that keeps running has."""
    crash = RolloutFailure(causes.CRASH_LOOP, "Deployment/web", "x", 8, pod="a", container="web")
    loop = FailureDetector()
    assert [loop.detect(seen, now) for now, seen in ((0, [crash]), (1, []), (2, [crash]), (6, [crash]))] == [
        None
    ] * 4
    assert loop.detect([crash], 8) == crash
    recovered = FailureDetector()
    assert recovered.detect([crash], 0) is None
    assert recovered.detect([], 6) is None
    assert recovered.detect([crash], 9) is None
    running = pod(container(running=True, restarts=3, ready=True, last=ENDED))
    assert of_pods(running) == []


def test_stalled_rollout_is_explained_by_what_is_seen_of_its_pods() -> None:
    """Kubernetes only says that there is no progress; the failing probe says why."""
    stalled = RolloutFailure(causes.STALLED, "Deployment/web", "timed out")
    probe = RolloutFailure(causes.PROBE_FAILING, "Deployment/web", "503", 600)
    other = RolloutFailure(causes.CONFIG_MISSING, "Deployment/api", "no key", 5)
    assert FailureDetector().detect([stalled, probe, other], 0) == probe
    assert FailureDetector().detect([stalled, other], 0) == stalled


def test_suspected_failure_is_told_with_the_time_at_which_it_fails() -> None:
    """What passes within a moment is not worth a line."""
    crash = RolloutFailure(causes.CRASH_LOOP, "Deployment/web", "x", 8)
    detector = FailureDetector()
    detector.detect([crash], 10)
    assert detector.suspected(10) == []
    detector.detect([crash], 13)
    assert detector.suspected(13) == [(crash, 18)]
    detector.detect([], 14)
    assert detector.suspected(14) == []


def test_paused_deployment_is_a_failure() -> None:
    """Somebody ran `kubectl rollout pause`: its controller replaces no pod."""
    (failure,) = possible_failures(snapshot(deployment(paused=True)), NOTHING, is_applied=True)
    assert (failure.cause, failure.grace_seconds) == (causes.STALLED, 3)
    assert "kubectl rollout resume" in failure.message


@pytest.mark.parametrize(
    "scheduled",
    [
        condition("PodScheduled"),
        condition("PodScheduled", "False", reason="SchedulingGated"),
    ],
)
def test_scheduled_or_gated_pod_is_not_unschedulable(scheduled: dict[str, Any]) -> None:
    """A pod that is scheduled, or that a scheduling gate holds back, is not a failure."""
    assert of_pods(pod(container(), scheduled=scheduled)) == []


def test_unschedulable_pod_is_no_failure_while_capacity_will_be_freed() -> None:
    """On a full node, a pod that starts replaces an old one, and that frees capacity for the next."""
    waiting = pod(container(), node="", scheduled=UNSCHEDULABLE)
    starting = pod(container("api", waiting="ContainerCreating"), name="api-2-a", owner="uid-api-2")
    going = pod(container(running=True), name="web-1-a", owner="uid-web-1", terminating=True)
    api = replace(WEB, name="api")
    both = snapshot(
        deployment(), deployment(name="api", containers=("api",)), pods=[waiting, starting], refs=(WEB, api)
    )
    assert possible_failures(both, NOTHING, is_applied=True) == []
    assert of_pods(waiting, going) == []
    assert [failure.cause for failure in of_pods(waiting)] == [causes.UNSCHEDULABLE]


def test_unschedulable_pod_is_a_failure_when_the_starting_pod_fails() -> None:
    """A pod that cannot start will never free capacity."""
    waiting = pod(container(), node="", scheduled=UNSCHEDULABLE)
    broken = pod(container(waiting="InvalidImageName"), name="web-2-b")
    assert [failure.cause for failure in of_pods(waiting, broken)] == [
        causes.UNSCHEDULABLE,
        causes.IMAGE_MISSING,
    ]


REFUSALS = [
    ("quota", QUOTA, causes.QUOTA_EXCEEDED, 5),
    (
        "limit range",
        'pods "w" is forbidden: maximum memory usage per Container is 512Mi',
        causes.POD_REFUSED,
        5,
    ),
    ("policy", 'admission webhook "kyverno" denied the request: no', causes.POD_REFUSED, 5),
    ("webhook unreachable", 'failed calling webhook "dapr": connection refused', causes.POD_REFUSED, 45),
]


@pytest.mark.parametrize(
    ("reason", "cause", "grace_seconds"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS]
)
def test_refused_pod_is_read_from_the_deployments_condition(
    reason: str, cause: Cause, grace_seconds: float
) -> None:
    """Quota and policy have a short grace; a webhook that does not answer may only be restarting."""
    (failure,) = of_pods(conditions=[condition("ReplicaFailure", reason="FailedCreate", message=reason)])
    assert (failure.cause, failure.grace_seconds) == (cause, grace_seconds)


def test_exceeded_quota_has_its_numbers() -> None:
    """The message has name, requested, used and limited, which a person needs to decide."""
    (failure,) = of_pods(conditions=[condition("ReplicaFailure", message=QUOTA)])
    assert failure.message == (
        "quota compute is exceeded: "
        "requested requests.cpu=20m, used requests.cpu=10m, limited requests.cpu=15m"
    )


def test_refused_pod_of_another_kind_is_read_from_its_events() -> None:
    """StatefulSets and Jobs have only an event for it, which no longer counts once the pod exists."""
    events = [event("uid-cache", "FailedCreate", QUOTA)]
    refused = snapshot(stateful_set(), events=events)
    assert [failure.cause for failure in possible_failures(refused, NOTHING, is_applied=True)] == [
        causes.QUOTA_EXCEEDED
    ]
    created = pod(
        container("redis"), name="cache-0", owner="uid-cache", labels={"controller-revision-hash": "b"}
    )
    accepted = snapshot(stateful_set(), pods=[created], events=events)
    assert possible_failures(accepted, NOTHING, is_applied=True) == []
    without_event = snapshot(stateful_set())
    assert possible_failures(without_event, NOTHING, is_applied=True) == []


def test_failed_job_is_a_failure_that_names_the_container() -> None:
    """The failure names the container that ended, because its log says why the Job failed."""
    failed = condition("Failed", reason="BackoffLimitExceeded", message="Job has reached its limit")
    ended = pod(container("migrate", ended=ENDED), name="migrate-x", owner="uid-migrate")
    (failure,) = possible_failures(snapshot(job(failed), pods=[ended]), NOTHING, is_applied=False)
    assert (failure.cause, failure.message) == (
        causes.JOB_FAILED,
        "BackoffLimitExceeded: Job has reached its limit",
    )
    assert (failure.pod, failure.container) == ("migrate-x", "migrate")
    (alone,) = possible_failures(snapshot(job(failed)), NOTHING, is_applied=False)
    assert (alone.pod, alone.container) == ("", "")


def test_crashes_of_a_job_are_no_failure_before_its_backoff_limit() -> None:
    """A Job's own back-off limit decides about crashes, but a wrong image is a failure at once."""
    crashed = pod(container("migrate", ended=ENDED, restarts=5), name="migrate-x", owner="uid-migrate")
    assert (
        possible_failures(
            snapshot(job(condition("Failed", "False")), pods=[crashed]), NOTHING, is_applied=False
        )
        == []
    )
    imageless = pod(container("migrate", waiting="InvalidImageName"), name="migrate-x", owner="uid-migrate")
    (failure,) = possible_failures(snapshot(job(), pods=[imageless]), NOTHING, is_applied=False)
    assert failure.cause is causes.IMAGE_MISSING


def test_progress_deadline_of_an_earlier_rollout_does_not_count() -> None:
    """The condition of an earlier rollout stays until the controller writes a new one."""
    passed = condition(
        "Progressing", "False", reason="ProgressDeadlineExceeded", message="timed out.", at="05:00"
    )
    again = {**passed, "lastUpdateTime": "05:10"}
    before = snapshot(deployment(generation=1, observed=1, conditions=[passed]))
    stale = snapshot(deployment(conditions=[passed]))
    assert possible_failures(stale, before, is_applied=True) == []
    (failure,) = possible_failures(snapshot(deployment(conditions=[again])), before, is_applied=True)
    assert (failure.cause, failure.message) == (causes.STALLED, "timed out")
    (new,) = possible_failures(stale, NOTHING, is_applied=True)
    assert new.cause is causes.STALLED


def test_conditions_of_an_unobserved_generation_are_ignored() -> None:
    """Until the controller has seen the new specification, its conditions are about the old one."""
    passed = condition("Progressing", "False", reason="ProgressDeadlineExceeded")
    assert of_pods(conditions=[passed], generation=3, observed=2) == []


def test_workload_that_was_broken_before_is_ignored_until_the_release_is_applied() -> None:
    """A workload that was broken before counts only once the release has been applied or changed it."""
    broken = snapshot(deployment(), pods=[pod(container(waiting="InvalidImageName"))])
    assert possible_failures(broken, broken, is_applied=False) == []
    assert [failure.cause for failure in possible_failures(broken, broken, is_applied=True)] == [
        causes.IMAGE_MISSING
    ]
    touched = snapshot(
        deployment(generation=3, observed=3), pods=[pod(container(waiting="InvalidImageName"))]
    )
    assert [failure.cause for failure in possible_failures(touched, broken, is_applied=False)] == [
        causes.IMAGE_MISSING
    ]


def test_failed_hook_of_an_earlier_release_is_ignored() -> None:
    """A failed hook Job of an earlier release stays until the next one replaces it."""
    left = snapshot(job(condition("Failed", reason="DeadlineExceeded")))
    assert possible_failures(left, left, is_applied=True) == []
    assert left.workloads[MIGRATE].ref.is_hook


def test_detector_returns_a_failure_only_after_its_grace() -> None:
    """The grace starts again when the possible failure was absent for longer than a moment."""
    failure = RolloutFailure(causes.CONFIG_MISSING, "Deployment/web", "x", 3)
    detector = FailureDetector()
    assert detector.detect([failure], 10.0) is None
    assert detector.detect([failure], 12.9) is None
    assert detector.detect([], 18.0) is None
    assert detector.detect([failure], 18.5) is None
    assert detector.detect([failure], 21.5) == failure
    assert detector.detect([], 22.0) is None
    assert detector.detect([failure], 23.0) == failure


def test_detector_gives_every_pod_its_own_grace() -> None:
    """In a rolling update, each pod has its own time to become ready."""
    first = RolloutFailure(causes.PROBE_FAILING, "Deployment/web", "x", 30, pod="a", container="web")
    detector = FailureDetector()
    assert detector.detect([first], 0.0) is None
    assert detector.detect([replace(first, pod="b")], 31.0) is None


def test_detector_returns_the_failure_that_explains_the_others() -> None:
    """A missing key is returned and not the probe that fails because of it."""
    probe = RolloutFailure(causes.PROBE_FAILING, "Deployment/a", "x")
    config = RolloutFailure(causes.CONFIG_MISSING, "Deployment/b", "y")
    assert FailureDetector().detect([probe, config], 0.0) == config
    assert first_failure([]) is None


def test_deadline_failure_names_what_is_not_ready() -> None:
    """Without a possible failure, the message has the numbers of ready replicas."""
    failure = deadline_failure(snapshot(deployment(), job(condition("Complete"))))
    assert (failure.cause, failure.workload) == (causes.DEADLINE, "Deployment/web")
    assert failure.message == "the deadline has passed (Deployment/web has 0 of 1 ready)"
    absent = deadline_failure(NOTHING, [replace(WEB, namespace="monitoring")])
    assert absent.message == "the deadline has passed (Deployment/web -n monitoring does not exist)"
    assert deadline_failure(NOTHING).message == "the deadline has passed (Helm has not ended)"


@pytest.mark.parametrize(
    ("numbers", "state"),
    [
        ({"observed": 1}, "was not seen by its controller"),
        ({"available": 1, "updated": 0}, "has 0 of 1 updated"),
        ({"available": 1, "total": 2}, "still has 1 old pod"),
        ({"available": 0}, "has 0 of 1 ready"),
    ],
)
def test_deadline_failure_says_what_a_deployment_lacks(numbers: dict[str, int], state: str) -> None:
    """A person must know whether pods are not ready, not replaced or not gone."""
    workload = snapshot(deployment(**numbers)).workloads[WEB]  # type: ignore[arg-type]  # only numbers
    assert waiting_for(workload) == state


def test_every_cause_has_its_own_exit_code_and_an_order() -> None:
    """Exit codes are a contract with CI: one per cause from 20 on, and every cause has a rank."""
    defined = [value for value in vars(causes).values() if isinstance(value, Cause)]
    assert sorted(cause.code for cause in defined) == list(range(20, 20 + len(defined)))
    assert len({cause.id for cause in defined}) == len(defined)
    assert set(CAUSES) == set(defined)


def test_every_cause_is_in_the_modules_table_of_exit_codes() -> None:
    """The table in the module's docstring has every cause with its exit code."""
    text = str(causes.__doc__)
    assert [cause.id for cause in CAUSES if f"{cause.code} {cause.id} " not in text] == []


def test_to_error_has_code_and_remedy() -> None:
    """The error has the workload, the message, the cause, the remedy and its runbook."""
    failure = RolloutFailure(causes.CONFIG_MISSING, "Deployment/web", "there is no Secret 'a'")
    error = failure.to_error()
    assert str(error) == (
        "Deployment/web: there is no Secret 'a' [config-missing]. "
        "Create it in the namespace, then release again. See docs/runbooks/config-missing.md."
    )
    assert (error.code, error.evidence) == (24, None)
