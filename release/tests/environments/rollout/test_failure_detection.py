"""Which state of a workload means which failure, and when the detector reports it."""

from dataclasses import replace

import pytest

from todo_release.config.rollout import RolloutSettings
from todo_release.environments.rollout import causes
from todo_release.environments.rollout.causes import Cause, RolloutFailure
from todo_release.environments.rollout.failure_detection import (
    FailureDetector,
    deadline_failure,
    first_failure,
    possible_failures,
    waiting_for,
)
from todo_release.environments.rollout.patience import Patience

from ...doubles.kubernetes_objects import (
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
from .possible_failures_of import ENDED, of_pods

QUOTA = (
    'pods "web-2-b" is forbidden: exceeded quota: compute, requested: requests.cpu=20m, '
    "used: requests.cpu=10m, limited: requests.cpu=15m"
)


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
