"""How long a pod that no node takes is waited for: what may make room, and what is gone."""

from dataclasses import replace
from typing import Any

import pytest

from todo_release.config.rollout import RolloutSettings
from todo_release.environments.rollout import causes
from todo_release.environments.rollout.causes import RolloutFailure
from todo_release.environments.rollout.failure_detection import (
    FailureDetector,
    possible_failures,
)
from todo_release.environments.rollout.patience import Patience
from todo_release.environments.rollout.pod_failures import UNTIL_THE_END

from ...doubles.kubernetes_objects import (
    NOTHING,
    WEB,
    condition,
    container,
    deployment,
    event,
    pod,
    snapshot,
)
from .possible_failures_of import UNSCHEDULABLE, of_pods


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
