"""Tests the wait for the pods that a rollout replaced."""

from todo_release.environments.rollout.drain import DRAIN_SECONDS, drain

from ...doubles.kubernetes_objects import container, pod, snapshot
from ...doubles.scripted import FakeClock, FakeCluster

NEW = pod(container(running=True, ready=True), name="web-2-a", ready=True)
OLD = pod(container(running=True, ready=True), name="web-1-a", ready=True, terminating=True)
OLDER = pod(container(running=True), name="api-1-a", terminating=True)


def drain_result(*pod_lists: list[dict[str, object]]) -> tuple[bool, float, list[str]]:
    """Returns the result of a drain, its seconds, and the messages meanwhile."""
    clock, messages = FakeClock(), list[str]()
    cluster = FakeCluster(*(snapshot(pods=pods) for pods in pod_lists))
    is_drained = drain(cluster, "staging", on_wait=messages.append, clock=clock)
    return is_drained, clock.seconds, messages


def test_drain_returns_at_once_without_terminating_pods() -> None:
    """Pods that stay are not waited for."""
    assert drain_result([NEW]) == (True, 0, [])


def test_drain_names_terminating_pods_when_they_change() -> None:
    """The terminating pods are named when they change and not every second."""
    assert drain_result([NEW, OLD, OLDER], [NEW, OLD, OLDER], [NEW, OLD], [NEW]) == (
        True,
        3,
        ["old pods are terminating: api-1-a, web-1-a", "old pods are terminating: web-1-a"],
    )


def test_drain_gives_up_after_its_deadline() -> None:
    """A lost node keeps its pods terminating until somebody removes it, so the wait has an end."""
    is_drained, seconds, _ = drain_result([OLD])
    assert (is_drained, seconds) == (False, DRAIN_SECONDS)
