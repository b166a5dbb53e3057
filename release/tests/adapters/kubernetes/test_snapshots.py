"""Tests when each kind of object is done, and which live objects a reference names."""

from typing import Any

import pytest

from todo_release.adapters.kubernetes.objects import WorkloadRef
from todo_release.adapters.kubernetes.snapshots import (
    join_snapshots,
    parse_custom_resource,
    parse_snapshot,
)

from ...doubles.kubernetes_objects import (
    AGENT,
    CACHE,
    MIGRATE,
    container,
    daemon_set,
    deployment,
    event,
    job,
    pod,
    snapshot,
    stateful_set,
)

WIDGET = WorkloadRef("Widget", "one", api_version="shop.example/v1")


def with_spec(raw: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Returns a workload with more in its specification."""
    return {**raw, "spec": {**raw["spec"], **spec}}


def test_pods_that_only_a_person_replaces_are_not_waited_for() -> None:
    """With OnDelete the controller is done at once; its pods must still be available."""
    strategy = {"updateStrategy": {"type": "OnDelete"}}
    done = snapshot(with_spec(stateful_set(), **strategy)).workloads[CACHE]
    unavailable = snapshot(with_spec(stateful_set(available=0), **strategy)).workloads[CACHE]
    assert (done.is_ready, unavailable.is_ready) == (True, False)
    agent = with_spec(daemon_set(updated=0, available=2), **strategy)
    agent["status"]["currentNumberScheduled"] = 2
    assert snapshot(agent).workloads[AGENT].is_ready


@pytest.mark.parametrize(("updated", "is_ready"), [(0, False), (1, False), (2, True)])
def test_pods_below_the_partition_are_not_waited_for(updated: int, is_ready: bool) -> None:
    """A partition of 1 leaves the first of three pods as it is."""
    raw = with_spec(
        stateful_set(updated=updated, available=3),
        replicas=3,
        updateStrategy={"rollingUpdate": {"partition": 1}},
    )
    raw["status"]["replicas"] = 3
    assert snapshot(raw).workloads[CACHE].is_ready is is_ready


def test_suspended_job_is_ready() -> None:
    """Whoever resumes it, such as a queue, does so later."""
    assert snapshot(with_spec(job(), suspend=True)).workloads[MIGRATE].is_ready
    assert snapshot(with_spec(job(), parallelism=0)).workloads[MIGRATE].is_ready


@pytest.mark.parametrize(("allowed", "count"), [(None, 1), (2, 2), ("50%", 1), ("51%", 2)])
def test_daemon_set_may_be_without_as_many_pods_as_its_strategy_allows(
    allowed: int | str | None, count: int
) -> None:
    """A share is rounded up, as its controller does; without a number it is one."""
    rolling = {} if allowed is None else {"maxUnavailable": allowed}
    raw = with_spec(daemon_set(updated=2, available=2), updateStrategy={"rollingUpdate": rolling})
    assert snapshot(raw).workloads[AGENT].max_unavailable == count


def custom(status: dict[str, Any] | None, generation: int = 2) -> dict[str, Any]:
    """Returns a custom resource."""
    return {"metadata": {"name": "one", "uid": "uid-one", "generation": generation}, "status": status}


def says(kind: str, status: str, **more: Any) -> dict[str, Any]:
    """Returns a status with one condition."""
    return {"conditions": [{"type": kind, "status": status, **more}]}


@pytest.mark.parametrize(
    ("status", "is_ready"),
    [
        (None, True),
        ({"phase": "Any"}, True),
        ({"observedGeneration": 1}, False),
        ({"observedGeneration": 2}, True),
        (says("Ready", "True"), True),
        (says("Ready", "Unknown"), False),
        (says("Ready", "True", observedGeneration=1), False),
        (says("Reconciling", "True"), False),
        (says("Reconciling", "False"), True),
        (says("Stalled", "True"), False),
        (says("Issuing", "True"), True),
        ({"conditions": [{"type": "Ready"}]}, True),
    ],
)
def test_custom_resource_is_judged_by_the_rules_of_kstatus(
    status: dict[str, Any] | None, is_ready: bool
) -> None:
    """It is ready unless it says otherwise, and its controller must have seen its newest generation."""
    assert parse_custom_resource(WIDGET, custom(status)).is_ready is is_ready


def test_generated_name_is_completed_by_what_is_there() -> None:
    """Each run of the hook is one Job; those of earlier releases are there before this one begins."""
    ref = WorkloadRef("Job", "migrate-", is_hook=True, is_name_generated=True)
    jobs = [
        {**job(), "metadata": {"name": f"migrate-{end}", "generateName": "migrate-", "uid": end}}
        for end in ("x1", "x2")
    ]
    other = {**job(), "metadata": {"name": "migrate-db", "uid": "db"}}
    found = parse_snapshot([ref], [*jobs, other], [], [], []).workloads
    assert [str(each) for each in found] == ["Job/migrate-x1", "Job/migrate-x2"]
    assert [(each.is_hook, each.is_name_generated) for each in found] == [(True, False)] * 2


def test_snapshots_of_namespaces_are_joined() -> None:
    """The events of all are in the order of time."""
    late = event("uid-web-2-a", "BackOff", "late", at="2026-11-24T05:00:09Z")
    early = event("uid-agent", "Failed", "early")
    joined = join_snapshots(
        [
            snapshot(deployment(), pods=[pod(container())], events=[late]),
            snapshot(daemon_set(updated=1, available=1), events=[early]),
        ]
    )
    assert [str(ref) for ref in joined.workloads] == ["Deployment/web", "DaemonSet/agent"]
    assert [event.message for event in joined.events] == ["early", "late"]
    assert len(joined.pods) == 1
