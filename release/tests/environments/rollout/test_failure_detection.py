"""The doom table: which look at a namespace means what, and how long it must last."""

from dataclasses import replace
from typing import Any

import pytest

from todo_release.environments.rollout import causes
from todo_release.environments.rollout.causes import CAUSES, Cause, RolloutFailure
from todo_release.environments.rollout.failure_detection import (
    FailureDetector,
    first_failure,
    overdue,
    possible_failures,
)

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
    'pods "web-2-b" is forbidden: exceeded quota: room, requested: requests.cpu=20m, '
    "used: requests.cpu=10m, limited: requests.cpu=15m"
)
NO_ROOM = condition(
    "PodScheduled",
    "False",
    reason="Unschedulable",
    message="0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No victims.",
)
ENDED = {"exitCode": 1, "reason": "Error"}
OLD_KUBELET = f'Failed to pull image "{IMAGE}": rpc error: code = NotFound desc = {IMAGE}: not found'


def of_pods(
    *pods: dict[str, Any], events: list[dict[str, Any]] | None = None, **of: Any
) -> list[RolloutFailure]:
    """The suspects of a Deployment with these new pods, all of it applied."""
    return possible_failures(
        snapshot(deployment(**of), pods=list(pods), events=events), NOTHING, is_applied=True
    )


def of_container(
    *containers: dict[str, Any], events: list[dict[str, Any]] | None = None
) -> list[RolloutFailure]:
    """The suspects of one pod with these containers."""
    return of_pods(pod(*containers), events=events)


CONTAINER_CASES: list[tuple[str, dict[str, Any], list[dict[str, Any]], Cause, float, str]] = [
    (
        "no such image",
        container(
            waiting="ErrImagePull", message=f'failed to resolve reference "{IMAGE}": {IMAGE}: not found'
        ),
        [],
        causes.IMAGE_MISSING,
        0,
        f"there is no image {IMAGE}",
    ),
    (
        "no such image, told by an event only",
        container(waiting="ImagePullBackOff", message=f'Back-off pulling image "{IMAGE}"'),
        [event("uid-web-2-a", "Failed", "Error: ErrImagePull"), event("uid-web-2-a", "Failed", OLD_KUBELET)],
        causes.IMAGE_MISSING,
        0,
        f"there is no image {IMAGE}",
    ),
    (
        "not allowed to pull",
        container(waiting="ErrImagePull", message="failed to authorize: unexpected status: 401 Unauthorized"),
        [],
        causes.IMAGE_DENIED,
        0,
        f"the registry does not let the node pull {IMAGE}",
    ),
    (
        "not allowed to pull because the pull secret is missing",
        container(waiting="ErrImagePull", message="pull access denied, repository does not exist"),
        [event("uid-web-2-a", "FailedToRetrieveImagePullSecret", "Unable to retrieve ghcr")],
        causes.IMAGE_DENIED,
        0,
        f"the registry does not let the node pull {IMAGE}; Unable to retrieve ghcr",
    ),
    (
        "registry away; the digits in the digest are no status",
        container(waiting="ErrImagePull", message=f"{IMAGE}: dial tcp 10.0.0.1:443: i/o timeout"),
        [],
        causes.IMAGE_UNREACHABLE,
        45,
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
        3,
        "there is no Secret 'app-secrets', which container web of pod web-2-a needs",
    ),
    (
        "no such config map",
        container(waiting="CreateContainerConfigError", message='configmap "app" not found'),
        [],
        causes.CONFIG_MISSING,
        3,
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
        3,
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
        0,
        "container web of pod web-2-a does not start: x",
    ),
    (
        "crashed twice, in back-off",
        container(waiting="CrashLoopBackOff", restarts=1, last=ENDED),
        [],
        causes.CRASH_LOOP,
        0,
        "container web of pod web-2-a ended 2 times, last with exit code 1",
    ),
    (
        "crashed twice, just ended",
        container(ended=ENDED, restarts=1),
        [],
        causes.CRASH_LOOP,
        0,
        "container web of pod web-2-a ended 2 times, last with exit code 1",
    ),
    (
        "crashed, nobody says how",
        container(waiting="CrashLoopBackOff", restarts=1),
        [],
        causes.CRASH_LOOP,
        0,
        "container web of pod web-2-a ended 2 times",
    ),
    (
        "out of memory",
        container(waiting="CrashLoopBackOff", restarts=1, last={"exitCode": 137, "reason": "OOMKilled"}),
        [],
        causes.OUT_OF_MEMORY,
        0,
        "container web of pod web-2-a was killed at its memory limit",
    ),
    (
        "killed by its probe",
        container(running=True, restarts=2, last={"exitCode": 137, "reason": "Error"}),
        [event("uid-web-2-a", "Killing", "Container web failed liveness probe, will be restarted")],
        causes.PROBE_FAILING,
        0,
        "container web of pod web-2-a was restarted because its liveness probe failed",
    ),
    (
        "another container was killed by its probe",
        container(waiting="CrashLoopBackOff", restarts=1, last=ENDED),
        [event("uid-web-2-a", "Killing", "Container side failed startup probe, will be restarted")],
        causes.CRASH_LOOP,
        0,
        "container web of pod web-2-a ended 2 times, last with exit code 1",
    ),
    (
        "never ready, little allowed",
        container(running=True, spec={"readinessProbe": {"periodSeconds": 1}}),
        [event("uid-web-2-a", "Unhealthy", "Readiness probe failed:\ncode: 503")],
        causes.PROBE_FAILING,
        30,
        "container web of pod web-2-a runs but is not ready after 30 s (Readiness probe failed: code: 503)",
    ),
    (
        "never ready, much allowed",
        container(running=True, spec={"startupProbe": {"periodSeconds": 10, "failureThreshold": 9}}),
        [],
        causes.PROBE_FAILING,
        91,
        "container web of pod web-2-a runs but is not ready after 91 s",
    ),
]


@pytest.mark.parametrize(
    ("given", "events", "cause", "grace_seconds", "message"),
    [case[1:] for case in CONTAINER_CASES],
    ids=[case[0] for case in CONTAINER_CASES],
)
def test_a_container_shows_why_it_cannot_be_ready(
    given: dict[str, Any], events: list[dict[str, Any]], cause: Cause, grace_seconds: float, message: str
) -> None:
    """One suspect, with the cause a person can act on."""
    (found,) = of_container(given, events=events)
    assert (found.cause, found.grace_seconds, found.message) == (cause, grace_seconds, message)
    assert (found.object, found.pod) == ("Deployment/web", "web-2-a")


@pytest.mark.parametrize(
    "given",
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
        "being made",
        "waiting for init containers",
        "ready",
        "ended once",
        "in back-off after ending once",
        "recovered",
        "init container at work",
        "init container done at the second try",
    ],
)
def test_a_container_that_only_needs_time_is_not_suspected(given: dict[str, Any]) -> None:
    """What every pod goes through, and a single stumble, are no reason to stop."""
    assert of_container(given) == []


def test_an_application_may_stumble_once_more_while_its_neighbour_is_not_ready() -> None:
    """An application that ends because its sidecar is late recovers with the sidecar."""
    crashed = container(waiting="CrashLoopBackOff", restarts=1, last=ENDED)
    late = container("daprd", running=True)
    assert [one.cause for one in of_container(crashed, late)] == [causes.SIDECAR_FAILING]
    crashed["status"]["restartCount"] = 2
    assert [one.cause for one in of_container(crashed, late)] == [causes.CRASH_LOOP, causes.SIDECAR_FAILING]


def test_an_init_container_of_the_template_that_crashes_is_a_crash_loop() -> None:
    """It is the application's own, not a sidecar."""
    crashed = container("migrate", waiting="CrashLoopBackOff", restarts=1, last=ENDED, is_init=True)
    (found,) = of_pods(pod(crashed, container(waiting="PodInitializing")), containers=("web", "migrate"))
    assert (found.cause, found.container) == (causes.CRASH_LOOP, "migrate")


def test_a_container_that_the_template_does_not_have_is_a_sidecar() -> None:
    """Injected sidecars are told from the application without knowing their names."""
    (found,) = of_container(container(running=True, ready=True), container("daprd", running=True))
    assert (found.cause, found.grace_seconds, found.container) == (causes.SIDECAR_FAILING, 30, "daprd")


def test_a_sidecar_that_crashes_is_blamed_as_a_sidecar() -> None:
    """daprd ends when a component is wrong; the application has done nothing."""
    (found,) = of_container(
        container(running=True, ready=True), container("daprd", waiting="CrashLoopBackOff", restarts=1)
    )
    assert (found.cause, found.message) == (
        causes.SIDECAR_FAILING,
        "container daprd of pod web-2-a ended 2 times",
    )


def test_a_native_sidecar_is_a_sidecar_though_the_template_has_it() -> None:
    """An init container that restarts always runs beside the application."""
    side = container("log", running=True, is_init=True, spec={"restartPolicy": "Always"})
    looked = of_pods(pod(side, container(running=True, ready=True)), containers=("web", "log"))
    assert [one.cause for one in looked] == [causes.SIDECAR_FAILING]


def test_a_pod_whose_sidecar_was_never_injected_is_doomed_at_once() -> None:
    """Dapr's webhook fails open: the pod starts without daprd, silently."""
    bare = pod(container(running=True, ready=True), annotations={"dapr.io/enabled": "true"})
    (found,) = of_pods(bare)
    assert (found.cause, found.grace_seconds) == (causes.SIDECAR_FAILING, 0)
    full = pod(
        container(running=True, ready=True),
        container("daprd", running=True, ready=True),
        annotations={"dapr.io/enabled": "true"},
    )
    assert of_pods(full) == []


@pytest.mark.parametrize(
    ("said", "message"),
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
def test_a_missing_mount_is_named(said: str, message: str) -> None:
    """A container that waits for a volume says nothing itself; the kubelet's event does."""
    (found,) = of_container(
        container(waiting="ContainerCreating"), events=[event("uid-web-2-a", "FailedMount", said)]
    )
    assert (found.cause, found.grace_seconds, found.message) == (causes.CONFIG_MISSING, 3, message)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (container(waiting="ContainerCreating"), "timed out waiting for the volume to attach"),
        (container(running=True, ready=True), 'secret "tls" not found'),
    ],
    ids=["another trouble with a volume", "mounted meanwhile"],
)
def test_other_mount_events_are_not_doom(given: dict[str, Any], said: str) -> None:
    """Volumes take their time, and old events stay."""
    assert of_container(given, events=[event("uid-web-2-a", "FailedMount", said)]) == []


def test_an_unschedulable_pod_has_the_grace_of_its_autoscaler() -> None:
    """Unschedulable is often transient; a node that is being added takes minutes."""
    waiting = pod(container(), node="", scheduled=NO_ROOM)
    (alone,) = of_pods(waiting)
    assert (alone.cause, alone.grace_seconds) == (causes.UNSCHEDULABLE, 12)
    assert alone.message == "no node takes pod web-2-a: 0/1 nodes are available: 1 Insufficient cpu"
    (helped,) = of_pods(waiting, events=[event("uid-web-2-a", "TriggeredScaleUp", "pod triggered scale-up")])
    assert helped.grace_seconds == 300


@pytest.mark.parametrize(
    "scheduled",
    [
        condition("PodScheduled"),
        condition("PodScheduled", "False", reason="SchedulingGated"),
    ],
)
def test_a_pod_that_is_placed_or_held_back_on_purpose_is_not_unschedulable(scheduled: dict[str, Any]) -> None:
    """Only the scheduler's own verdict counts."""
    assert of_pods(pod(container(), scheduled=scheduled)) == []


def test_no_room_is_no_doom_while_a_pod_that_starts_will_make_some() -> None:
    """On a full node deployments take turns: what starts now replaces a pod that then goes."""
    waiting = pod(container(), node="", scheduled=NO_ROOM)
    starting = pod(container("api", waiting="ContainerCreating"), name="api-2-a", owner="uid-api-2")
    going = pod(container(running=True), name="web-1-a", owner="uid-web-1", terminating=True)
    api = replace(WEB, name="api")
    both = snapshot(
        deployment(), deployment(name="api", containers=("api",)), pods=[waiting, starting], refs=(WEB, api)
    )
    assert possible_failures(both, NOTHING, is_applied=True) == []
    assert of_pods(waiting, going) == []
    assert [one.cause for one in of_pods(waiting)] == [causes.UNSCHEDULABLE]


def test_no_room_is_doom_when_what_starts_is_doomed_itself() -> None:
    """A neighbour that cannot start will never make room."""
    waiting = pod(container(), node="", scheduled=NO_ROOM)
    broken = pod(container(waiting="InvalidImageName"), name="web-2-b")
    assert [one.cause for one in of_pods(waiting, broken)] == [causes.UNSCHEDULABLE, causes.IMAGE_MISSING]


REFUSALS = [
    ("quota", QUOTA, causes.QUOTA_EXCEEDED, 5),
    (
        "limit range",
        'pods "w" is forbidden: maximum memory usage per Container is 512Mi',
        causes.POD_REFUSED,
        5,
    ),
    ("policy", 'admission webhook "kyverno" denied the request: no', causes.POD_REFUSED, 5),
    ("webhook away", 'failed calling webhook "dapr": connection refused', causes.POD_REFUSED, 45),
]


@pytest.mark.parametrize(
    ("said", "cause", "grace_seconds"), [one[1:] for one in REFUSALS], ids=[one[0] for one in REFUSALS]
)
def test_a_refused_pod_is_told_by_the_deployments_condition(
    said: str, cause: Cause, grace_seconds: float
) -> None:
    """There is no pod to look at; quota and policy differ from a webhook that may only be restarting."""
    (found,) = of_pods(conditions=[condition("ReplicaFailure", reason="FailedCreate", message=said)])
    assert (found.cause, found.grace_seconds) == (cause, grace_seconds)


def test_a_quota_says_its_numbers() -> None:
    """Name, requested, used and limited: what a person needs to decide."""
    (found,) = of_pods(conditions=[condition("ReplicaFailure", message=QUOTA)])
    assert found.message == (
        "quota room has no room: requested requests.cpu=20m, used requests.cpu=10m, limited requests.cpu=15m"
    )


def test_a_refused_pod_of_another_kind_is_told_by_its_events() -> None:
    """StatefulSets and Jobs have no condition for it; once the pod is there, the event is history."""
    events = [event("uid-cache", "FailedCreate", QUOTA)]
    refused = snapshot(stateful_set(), events=events)
    assert [one.cause for one in possible_failures(refused, NOTHING, is_applied=True)] == [
        causes.QUOTA_EXCEEDED
    ]
    there = pod(
        container("redis"), name="cache-0", owner="uid-cache", labels={"controller-revision-hash": "b"}
    )
    accepted = snapshot(stateful_set(), pods=[there], events=events)
    assert possible_failures(accepted, NOTHING, is_applied=True) == []
    silent = snapshot(stateful_set())
    assert possible_failures(silent, NOTHING, is_applied=True) == []


def test_a_failed_job_is_doom_and_names_the_container_that_ended() -> None:
    """Helm says only that a hook failed; the pod's log says why."""
    failed = condition("Failed", reason="BackoffLimitExceeded", message="Job has reached its limit")
    ended = pod(container("migrate", ended=ENDED), name="migrate-x", owner="uid-migrate")
    (found,) = possible_failures(snapshot(job(failed), pods=[ended]), NOTHING, is_applied=False)
    assert (found.cause, found.message) == (
        causes.JOB_FAILED,
        "BackoffLimitExceeded: Job has reached its limit",
    )
    assert (found.pod, found.container) == ("migrate-x", "migrate")
    (alone,) = possible_failures(snapshot(job(failed)), NOTHING, is_applied=False)
    assert (alone.pod, alone.container) == ("", "")


def test_a_job_decides_itself_how_often_it_may_crash() -> None:
    """Its back-off limit is its own; but an image that is not there never will be."""
    crashed = pod(container("migrate", ended=ENDED, restarts=5), name="migrate-x", owner="uid-migrate")
    assert (
        possible_failures(
            snapshot(job(condition("Failed", "False")), pods=[crashed]), NOTHING, is_applied=False
        )
        == []
    )
    imageless = pod(container("migrate", waiting="InvalidImageName"), name="migrate-x", owner="uid-migrate")
    (found,) = possible_failures(snapshot(job(), pods=[imageless]), NOTHING, is_applied=False)
    assert found.cause is causes.IMAGE_MISSING


def test_a_progress_deadline_counts_only_when_this_rollout_passed_it() -> None:
    """The condition of an earlier rollout stays until the controller writes a new one."""
    passed = condition(
        "Progressing", "False", reason="ProgressDeadlineExceeded", message="timed out.", at="05:00"
    )
    again = {**passed, "lastUpdateTime": "05:10"}
    before = snapshot(deployment(generation=1, observed=1, conditions=[passed]))
    stale = snapshot(deployment(conditions=[passed]))
    assert possible_failures(stale, before, is_applied=True) == []
    (found,) = possible_failures(snapshot(deployment(conditions=[again])), before, is_applied=True)
    assert (found.cause, found.message) == (causes.STALLED, "timed out")
    (new,) = possible_failures(stale, NOTHING, is_applied=True)
    assert new.cause is causes.STALLED


def test_conditions_of_an_unobserved_generation_say_nothing() -> None:
    """Until the controller has seen the new specification, everything it reports is about the old one."""
    passed = condition("Progressing", "False", reason="ProgressDeadlineExceeded")
    assert of_pods(conditions=[passed], generation=3, observed=2) == []


def test_what_was_broken_before_is_left_alone_until_the_release_has_been_applied() -> None:
    """The release may be about to repair it; afterwards it counts like any other."""
    broken = snapshot(deployment(), pods=[pod(container(waiting="InvalidImageName"))])
    assert possible_failures(broken, broken, is_applied=False) == []
    assert [one.cause for one in possible_failures(broken, broken, is_applied=True)] == [causes.IMAGE_MISSING]
    touched = snapshot(
        deployment(generation=3, observed=3), pods=[pod(container(waiting="InvalidImageName"))]
    )
    assert [one.cause for one in possible_failures(touched, broken, is_applied=False)] == [
        causes.IMAGE_MISSING
    ]


def test_a_hook_that_an_earlier_release_left_is_never_blamed() -> None:
    """A failed hook Job stays until the next one replaces it."""
    left = snapshot(job(condition("Failed", reason="DeadlineExceeded")))
    assert possible_failures(left, left, is_applied=True) == []
    assert left.workloads[MIGRATE].ref.is_hook


def test_a_suspect_becomes_doom_only_when_it_lasts() -> None:
    """The grace starts again when the suspect was gone for a moment."""
    candidate = RolloutFailure(causes.CONFIG_MISSING, "Deployment/web", "x", 3)
    judge = FailureDetector()
    assert judge.verdict([candidate], 10.0) is None
    assert judge.verdict([candidate], 12.9) is None
    assert judge.verdict([], 13.0) is None
    assert judge.verdict([candidate], 13.5) is None
    assert judge.verdict([candidate], 16.5) == candidate


def test_two_pods_do_not_share_a_grace() -> None:
    """In a rolling update each pod has its own time to become ready."""
    first = RolloutFailure(causes.PROBE_FAILING, "Deployment/web", "x", 30, pod="a", container="web")
    judge = FailureDetector()
    assert judge.verdict([first], 0.0) is None
    assert judge.verdict([replace(first, pod="b")], 31.0) is None


def test_of_several_dooms_the_cause_of_the_others_is_told() -> None:
    """A missing key explains the readiness that never comes."""
    probe = RolloutFailure(causes.PROBE_FAILING, "Deployment/a", "x")
    config = RolloutFailure(causes.CONFIG_MISSING, "Deployment/b", "y")
    assert FailureDetector().verdict([probe, config], 0.0) == config
    assert first_failure([]) is None


def test_overdue_names_what_is_not_ready() -> None:
    """When nothing was suspected, at least the numbers are told."""
    found = overdue(snapshot(deployment(), job(condition("Complete"))))
    assert (found.cause, found.object) == (causes.DEADLINE, "Deployment/web")
    assert found.message == "time is over (Deployment/web has 0 of 1 ready)"
    assert overdue(NOTHING).object == "rollout"


def test_every_cause_has_its_own_exit_code_and_an_order() -> None:
    """Exit codes are a contract with CI: 20 to 39, one a cause, and every cause has a rank."""
    every = [one for one in vars(causes).values() if isinstance(one, Cause)]
    assert sorted(one.code for one in every) == list(range(20, 20 + len(every)))
    assert len({one.id for one in every}) == len(every)
    assert set(CAUSES) == set(every)


def test_every_cause_is_explained_where_the_exit_codes_are() -> None:
    """The table at the top of the module is the documentation; it cannot drift."""
    text = str(causes.__doc__)
    assert [one.id for one in CAUSES if f"{one.code} {one.id} " not in text] == []


def test_a_doom_is_an_error_with_its_code_and_one_remedy() -> None:
    """What the release ends with: the object, the sentence, the cause, the remedy and its runbook."""
    failure = RolloutFailure(causes.CONFIG_MISSING, "Deployment/web", "there is no Secret 'a'")
    error = failure.error()
    assert str(error) == (
        "Deployment/web: there is no Secret 'a' [config-missing]. "
        "Create it in the namespace, then release again. See docs/runbooks/config-missing.md."
    )
    assert (error.code, error.evidence) == (24, None)
