"""Waiting for the pods that a rollout replaced."""

from todo_release.environments.rollout.drain import DRAIN_SECONDS, drain

from ...doubles.kubernetes_objects import container, pod, snapshot
from ...doubles.scripted import FakeClock, FakeCluster

NEW = pod(container(running=True, ready=True), name="web-2-a", ready=True)
OLD = pod(container(running=True, ready=True), name="web-1-a", ready=True, terminating=True)
OLDER = pod(container(running=True), name="api-1-a", terminating=True)


def drained(*looks: list[dict[str, object]]) -> tuple[bool, float, list[str]]:
    """What came of it, after how many seconds, and what was told meanwhile."""
    clock, told = FakeClock(), list[str]()
    cluster = FakeCluster(*(snapshot(pods=look) for look in looks))
    is_drained = drain(cluster, "staging", on_wait=told.append, clock=clock)
    return is_drained, clock.seconds, told


def test_namespace_without_old_pods_is_drained_at_once() -> None:
    """Nobody waits for pods that stay."""
    assert drained([NEW]) == (True, 0, [])


def test_old_pods_are_waited_for_and_named_when_they_change() -> None:
    """Each of them once, not every second."""
    assert drained([NEW, OLD, OLDER], [NEW, OLD, OLDER], [NEW, OLD], [NEW]) == (
        True,
        3,
        ["old pods are going: api-1-a, web-1-a", "old pods are going: web-1-a"],
    )


def test_pod_that_does_not_go_is_not_waited_for_for_ever() -> None:
    """A node that is lost keeps its pods in this state until somebody removes it."""
    is_drained, seconds, _ = drained([OLD])
    assert (is_drained, seconds) == (False, DRAIN_SECONDS)
