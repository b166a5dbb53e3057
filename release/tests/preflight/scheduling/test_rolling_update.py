"""Rolling updates: what they request at their peak, and whether they finish."""

from typing import Any

from todo_release.preflight.scheduling.cluster_capacity import ClusterCapacity
from todo_release.preflight.scheduling.resources import NodeCapacity, ResourceAmount
from todo_release.preflight.scheduling.rolling_update import WorkloadChange, simulate

from .pods_and_nodes import node, pod


def change(cpu: int = 100, *, replicas: int = 1, **rest: Any) -> WorkloadChange:
    """Returns a workload that rolls; `old_pods` are given as (node, cpu), `priority` is that of its pods."""
    old_pods = tuple((name, pod(size)) for name, size in rest.pop("old_pods", ()))
    new_pod = pod(cpu, labels={"app": "web"}, priority=rest.pop("priority", 0))
    return WorkloadChange(
        name=rest.pop("name", "Deployment/web"), pod=new_pod, replicas=replicas, old_pods=old_pods, **rest
    )


def capacity_of(*nodes: NodeCapacity, changes: tuple[WorkloadChange, ...] = ()) -> ClusterCapacity:
    """Returns nodes on which the old pods of the changes run."""
    return ClusterCapacity(nodes, [placed for change in changes for placed in change.old_pods])


def test_surge_counts_at_the_peak_and_not_at_the_end() -> None:
    """Old and new pods run together at the peak."""
    web = change(300, replicas=2, max_surge=1, old_pods=[("n1", 300), ("n1", 300)])
    simulation = simulate(capacity_of(node(), changes=(web,)), [web])
    assert (simulation.stuck, simulation.waiting) == ((), ())
    assert (simulation.peak.used("n1").cpu, simulation.end.used("n1").cpu) == (900, 600)


def test_surge_that_does_not_fit_is_stuck_without_max_unavailable() -> None:
    """With maxUnavailable the old pod goes first and frees its capacity."""
    web = change(600, max_surge=1, old_pods=[("n1", 600)])
    capacity = capacity_of(node(), changes=(web,))
    assert simulate(capacity, [web]).stuck == (web,)
    turned = WorkloadChange(name=web.name, pod=web.pod, replicas=1, max_unavailable=1, old_pods=web.old_pods)
    assert simulate(capacity, [turned]).stuck == ()


def test_workloads_that_do_not_fit_together_roll_in_turns() -> None:
    """One workload waits until the other has removed its old pods."""
    web = change(300, max_surge=1, old_pods=[("n1", 300)], name="Deployment/web")
    api = change(250, max_surge=1, old_pods=[("n1", 250)], name="Deployment/api")
    simulation = simulate(capacity_of(node(cpu=850), changes=(web, api)), [api, web])
    assert (simulation.waiting, simulation.stuck) == ((api,), ())
    assert simulation.end.used("n1").cpu == 550


def test_larger_requests_can_get_stuck_after_the_first_wave() -> None:
    """The first new pod fits, but a removed old pod frees too little for the second."""
    web = change(500, replicas=2, max_surge=1, old_pods=[("n1", 100), ("n1", 100)])
    simulation = simulate(capacity_of(node(cpu=900), changes=(web,)), [web])
    assert (simulation.waiting, simulation.stuck) == ((), (web,))


def test_up_to_date_pods_are_kept_and_missing_ones_added() -> None:
    """Scaling creates pods without a rolling update."""
    web = change(300, replicas=3, up_to_date=2)
    simulation = simulate(ClusterCapacity([node(cpu=1000)], [("n1", pod(300)), ("n1", pod(300))]), [web])
    assert simulation.end.used("n1").cpu == 900
    assert simulate(ClusterCapacity([node()]), [change(300, replicas=1, up_to_date=2)]).stuck == ()


def test_evicted_pods_are_part_of_the_result() -> None:
    """The result names the pods that a rollout preempts."""
    web = change(600, replicas=1, priority=5)
    lesser = pod(600, priority=0)
    assert simulate(ClusterCapacity([node()], [("n1", lesser)]), [web]).evicted == (lesser,)


def test_nothing_to_roll_leaves_the_capacity_unchanged() -> None:
    """An empty release changes nothing."""
    simulation = simulate(ClusterCapacity([node()]), [])
    assert (simulation.peak.used("n1"), simulation.stuck) == (ResourceAmount(), ())
