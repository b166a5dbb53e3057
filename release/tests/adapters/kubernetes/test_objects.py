"""Parsed objects: when a workload is ready, which pods are its own, and when an event happened."""

from datetime import UTC, datetime

import pytest

from todo_release.adapters.kubernetes.objects import WorkloadRef, parse_event
from todo_release.adapters.kubernetes.snapshots import parse_workload

from ...doubles.kubernetes_objects import (
    AGENT,
    CACHE,
    MIGRATE,
    WEB,
    condition,
    container,
    daemon_set,
    deployment,
    event,
    job,
    pod,
    snapshot,
    stateful_set,
)


@pytest.mark.parametrize(
    ("numbers", "is_ready"),
    [
        ({"updated": 1, "available": 1, "total": 1}, True),
        ({"updated": 1, "available": 1, "total": 1, "observed": 1}, False),
        ({"updated": 1, "available": 1, "total": 2}, False),
        ({"updated": 0, "available": 1, "total": 1}, False),
        ({"updated": 1, "available": 0, "total": 1}, False),
        ({"updated": 0, "available": 0, "total": 0, "replicas": 0}, True),
    ],
    ids=["done", "not observed", "old pod left", "not updated", "not available", "scaled to zero"],
)
def test_deployment_is_ready_as_rollout_status_says(numbers: dict[str, int], is_ready: bool) -> None:
    """The newest specification is observed, all replicas are new and available, and none is old."""
    workload = snapshot(deployment(**numbers)).workloads[WEB]  # type: ignore[arg-type]  # only numbers
    assert workload.is_ready is is_ready


def test_new_deployment_without_a_status_is_not_ready() -> None:
    """Its controller has not observed it yet."""
    fresh = {**deployment(), "status": {}}
    assert not snapshot(fresh).workloads[WEB].is_ready


@pytest.mark.parametrize(
    ("raw", "ref", "is_ready"),
    [
        (stateful_set(), CACHE, False),
        (stateful_set(updated=1), CACHE, True),
        (stateful_set(update="b", current="b", updated=0), CACHE, True),
        (stateful_set(update="b", current="b", available=0), CACHE, False),
        (daemon_set(updated=1, available=2), AGENT, False),
        (daemon_set(updated=2, available=2), AGENT, True),
        (job(), MIGRATE, False),
        (job(condition("Complete")), MIGRATE, True),
        (job(condition("Complete", "False")), MIGRATE, False),
    ],
)
def test_other_kinds_are_ready_by_their_own_status(
    raw: dict[str, object], ref: WorkloadRef, is_ready: bool
) -> None:
    """A StatefulSet stops counting updated replicas when it is done; a Job has a condition."""
    assert snapshot(raw).workloads[ref].is_ready is is_ready


def test_pods_of_a_deployment_are_those_of_its_newest_revision() -> None:
    """A pod of an earlier revision, or one that is being deleted, does not count for this rollout."""
    old = pod(container(), name="web-1-a", owner="uid-web-1")
    new = pod(container(), name="web-2-a")
    going = pod(container(), name="web-2-b", terminating=True)
    namespace = snapshot(deployment(), pods=[old, new, going])
    assert [pod.name for pod in namespace.pods_of(namespace.workloads[WEB])] == ["web-2-a"]


def test_deployment_without_replica_sets_has_no_pods() -> None:
    """Pods without an owner do not belong to it."""
    workload = parse_workload(WEB, deployment(), [])
    namespace = snapshot(deployment(), pods=[pod(container(), owner="")])
    assert namespace.pods_of(workload) == ()


def test_pods_of_other_kinds_are_selected_by_their_revision_label() -> None:
    """A StatefulSet or DaemonSet owns old and new pods alike."""
    pods = [
        pod(container("redis"), name="cache-0", owner="uid-cache", labels={"controller-revision-hash": "a"}),
        pod(container("redis"), name="cache-1", owner="uid-cache", labels={"controller-revision-hash": "b"}),
        pod(container("agent"), name="agent-1", owner="uid-agent", labels={"pod-template-generation": "1"}),
        pod(container("agent"), name="agent-2", owner="uid-agent", labels={"pod-template-generation": "2"}),
    ]
    namespace = snapshot(stateful_set(), daemon_set(updated=1, available=1), pods=pods)
    assert [pod.name for ref in (CACHE, AGENT) for pod in namespace.pods_of(namespace.workloads[ref])] == [
        "cache-1",
        "agent-2",
    ]


def test_container_joins_specification_and_status() -> None:
    """The probe budget is the sum of its probes; a container without a status is waiting."""
    spec = {
        "startupProbe": {"periodSeconds": 2, "failureThreshold": 30},
        "readinessProbe": {"initialDelaySeconds": 5, "timeoutSeconds": 3},
    }
    raw = pod(
        container("web", running=True, spec=spec),
        container("side", is_init=True, spec={"restartPolicy": "Always"}),
    )
    raw["status"]["initContainerStatuses"] = []
    web, side = sorted(
        snapshot(deployment(), pods=[raw]).pods[0].containers, key=lambda parsed: parsed.is_init
    )
    assert web.probe_budget_seconds == (0 + 2 * 30 + 1) + (5 + 10 * 3 + 3)
    assert (web.state.phase, web.is_init, web.is_native_sidecar) == ("running", False, False)
    assert (side.state.phase, side.is_init, side.is_native_sidecar) == ("waiting", True, True)
    assert side.probe_budget_seconds == 0


def test_events_are_ordered_by_the_latest_time_they_have() -> None:
    """Events of the scheduler have only `eventTime` and `series`, and no `lastTimestamp`."""
    scheduler = {
        "involvedObject": {"uid": "u"},
        "reason": "FailedScheduling",
        "eventTime": "2026-11-24T05:00:01.500000Z",
        "series": {"count": 4, "lastObservedTime": "2026-11-24T05:00:09.500000Z"},
    }
    kubelet = event("u", "Failed", "late", at="2026-11-24T05:00:05Z")
    timeless = {"involvedObject": {"uid": "u"}, "reason": "Odd"}
    namespace = snapshot(deployment(), events=[scheduler, kubelet, timeless])
    assert [event.reason for event in namespace.events] == ["Odd", "Failed", "FailedScheduling"]
    assert parse_event(scheduler).at == datetime(2026, 11, 24, 5, 0, 9, 500000, tzinfo=UTC)
    assert parse_event(scheduler).count == 4


def test_snapshot_leaves_out_workloads_that_were_not_asked_for() -> None:
    """A namespace may contain other workloads than those of the release."""
    assert list(snapshot(deployment(name="other")).workloads) == []
