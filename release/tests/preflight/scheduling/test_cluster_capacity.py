"""Which node takes a pod, by the rules of the kube-scheduler."""

from typing import Any

import pytest

from todo_release.adapters.kubernetes.selectors import admits, selects, untolerated
from todo_release.preflight.scheduling.cluster_capacity import ClusterCapacity, Placement
from todo_release.preflight.scheduling.resources import (
    NodeCapacity,
    PodRequirements,
    RemainingQuota,
    ResourceAmount,
)

from .pods_and_nodes import MIB, node, pod


def place(capacity: ClusterCapacity, pod: PodRequirements, scoring: Any = "pack") -> str | None:
    """Places a pod; returns the name of its node."""
    placement = capacity.place(pod, scoring)
    return placement.node.name if placement else None


def test_pod_goes_where_both_cpu_and_memory_fit() -> None:
    """One of the two is not enough."""
    capacity = ClusterCapacity([node("cpu", 1000, 50), node("memory", 50, 1000), node("both", 100, 100)])
    assert place(capacity, pod()) == "both"
    assert (capacity.free("both"), capacity.used("both")) == (
        ResourceAmount(0, 0),
        ResourceAmount(100, 100 * MIB),
    )
    assert place(capacity, pod()) is None


def test_pod_that_asks_for_nothing_fits_on_a_full_node() -> None:
    """Best effort is how a cluster gets more than it has."""
    capacity = ClusterCapacity([node(cpu=0, memory=0)], [("n1", pod())])
    assert place(capacity, pod(0, 0)) == "n1"


def test_spread_takes_the_emptiest_node_and_pack_the_fullest() -> None:
    """Two ways to fill the same capacity."""
    capacity = ClusterCapacity([node("empty"), node("half")], [("half", pod(500))])
    assert place(capacity.copy(), pod(), "spread") == "empty"
    assert place(capacity.copy(), pod(), "pack") == "half"


def test_copy_leaves_the_room_as_it_was_and_may_have_more_nodes() -> None:
    """New nodes come with the daemons of every node."""
    capacity = ClusterCapacity([node()], [("n1", pod(900)), ("gone", pod())])
    bigger = capacity.copy([(node("n2"), [pod(200)])])
    assert place(bigger, pod(800)) == "n2"
    assert bigger.free("n2") == ResourceAmount(0, 800 * MIB)
    assert list(capacity.nodes) == ["n1"]
    assert [len(capacity.pods_on("n1")), len(bigger.pods_on("n2"))] == [1, 2]


def test_node_takes_no_more_pods_than_it_may_run() -> None:
    """Whatever they ask for."""
    capacity = ClusterCapacity([node(max_pods=1)], [("n1", pod(0, 0))])
    assert place(capacity, pod(0, 0)) is None


TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("toleration", "is_in"),
    [
        (None, False),
        ({"key": "gpu", "value": "yes"}, True),
        ({"key": "gpu", "operator": "Equal", "value": "no"}, False),
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "other", "operator": "Exists"}, False),
        ({"key": "gpu", "value": "yes", "effect": "NoExecute"}, False),
    ],
)
def test_taint_keeps_out_whoever_does_not_tolerate_it(toleration: dict[str, str] | None, is_in: bool) -> None:
    """By key, value and effect; a toleration without a key tolerates all."""
    capacity = ClusterCapacity([node(taints=(TAINT,))])
    tolerations = (toleration,) if toleration else ()
    assert (place(capacity, pod(tolerations=tolerations)) == "n1") is is_in


def test_taint_that_only_prefers_keeps_nobody_out() -> None:
    """It is a wish."""
    assert untolerated([{**TAINT, "effect": "PreferNoSchedule"}], []) == []


def test_refusal_says_why_a_node_does_not_take_a_pod() -> None:
    """For people who wonder."""
    capacity = ClusterCapacity([node("n1"), node("n2", taints=(TAINT,)), node("n3", is_cordoned=True)])
    assert [capacity.rejection(pod(only_node="n1"), known) for known in capacity.nodes.values()] == [
        None, "is another node", "is another node",
    ]  # fmt: skip
    selecting = pod(node_selector={"disk": "ssd"}, tolerations=({"operator": "Exists"},))
    assert [capacity.rejection(selecting, known) for known in capacity.nodes.values()] == [
        "does not match the node selector", "does not match the node selector", "is cordoned",
    ]  # fmt: skip
    assert capacity.rejection(pod(), capacity.nodes["n2"]) == "has the taint gpu"


@pytest.mark.parametrize(
    ("expression", "is_chosen"),
    [
        ({"key": "zone", "operator": "In", "values": ["a", "b"]}, True),
        ({"key": "zone", "operator": "NotIn", "values": ["a"]}, False),
        ({"key": "zone", "operator": "Exists"}, True),
        ({"key": "disk", "operator": "Exists"}, False),
        ({"key": "disk", "operator": "DoesNotExist"}, True),
        ({"key": "cores", "operator": "Gt", "values": ["2"]}, True),
        ({"key": "cores", "operator": "Lt", "values": ["4"]}, False),
        ({"key": "disk", "operator": "Gt", "values": ["4"]}, False),
    ],
)
def test_required_node_affinity_chooses_by_expressions(expression: dict[str, Any], is_chosen: bool) -> None:
    """Every operator that Kubernetes knows."""
    labels = {"zone": "a", "cores": "4"}
    terms = ({"matchExpressions": [expression]},)
    assert admits(terms, "n1", labels) is is_chosen
    capacity = ClusterCapacity([node(labels=labels)])
    assert (place(capacity, pod(node_affinity_terms=terms)) == "n1") is is_chosen


def test_one_node_selector_term_is_enough_and_an_empty_one_chooses_nothing() -> None:
    """Terms are alternatives; fields name the node itself."""
    by_name = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
    assert admits(({}, by_name), "n1", {})
    assert not admits(({}, by_name), "n2", {})


def test_selector_needs_all_of_its_parts() -> None:
    """None chooses nothing, an empty one everything."""
    selector = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [{"key": "old", "operator": "DoesNotExist"}],
    }
    assert selects(selector, {"app": "web"})
    assert not selects(selector, {"app": "web", "old": ""})
    assert not selects({"matchLabels": {"app": "api"}}, {"app": "web"})
    assert (selects(None, {}), selects({}, {"a": "b"})) == (False, True)


SPREAD = {
    "topologyKey": "kubernetes.io/hostname",
    "maxSkew": 1,
    "labelSelector": {"matchLabels": {"app": "web"}},
}


def test_topology_spread_that_must_hold_keeps_pods_even() -> None:
    """The second pod goes to the other node although the first has capacity; a third may go anywhere."""
    web = pod(labels={"app": "web"}, topology_spread=(SPREAD,))
    capacity = ClusterCapacity(
        [NodeCapacity(name="bare", allocatable=ResourceAmount(9999, 9999 * MIB)), node("n1"), node("n2")]
    )
    assert {place(capacity, web), place(capacity, web)} == {"n1", "n2"}
    assert place(capacity, web) is not None
    assert capacity.rejection(web, capacity.nodes["bare"]) == "would break a topology spread constraint"


def test_topology_spread_counts_only_pods_of_the_revision_and_namespace_it_asks_for() -> None:
    """Old pods on a node do not push the new ones away from it."""
    rule = {**SPREAD, "matchLabelKeys": ["pod-template-hash"]}
    old = pod(labels={"app": "web", "pod-template-hash": "old"})
    new = pod(labels={"app": "web", "pod-template-hash": "new"}, topology_spread=(rule,))
    other = PodRequirements(owner="x", namespace="production", request=ResourceAmount(), labels=new.labels)
    capacity = ClusterCapacity([node("n1"), node("n2", cpu=0)], [("n1", old), ("n1", old), ("n1", other)])
    assert place(capacity, new) == "n1"
    assert place(capacity, new) is None


def test_preemption_pushes_out_the_least_important_and_the_fewest() -> None:
    """A node whose pods matter least gives way; pods of the same class never do."""
    lowest, low, same = pod(600, priority=-10), pod(600, priority=0), pod(1000, priority=10)
    capacity = ClusterCapacity(
        [node("low"), node("lowest"), node("same")], [("low", low), ("lowest", lowest), ("same", same)]
    )
    assert capacity.place(pod(800, priority=10)) == Placement(capacity.nodes["lowest"], (lowest,))
    assert capacity.pods_on("lowest")[0].priority == 10
    assert lowest not in capacity.pods_on("lowest")


def test_preemption_takes_larger_pods_first_and_stops_when_there_is_room() -> None:
    """Three small ones could go, one large one is enough; with a free place for pods none need go for
    that.
    """
    small, large = pod(100, priority=0), pod(500, priority=0)
    capacity = ClusterCapacity([node()], [("n1", small), ("n1", small), ("n1", large)])
    placement = capacity.place(pod(700, priority=1))
    assert placement is not None
    assert placement.evicted == (large,)


def test_preemption_is_not_for_those_who_never_preempt_nor_when_it_would_not_help() -> None:
    """And nobody is pushed out in vain."""
    capacity = ClusterCapacity([node()], [("n1", pod(900, priority=0))])
    assert place(capacity, pod(500, priority=5, may_preempt=False)) is None
    assert place(capacity, pod(1500, priority=5)) is None
    assert len(capacity.pods_on("n1")) == 1


def test_quota_bounds_a_namespace_whatever_room_the_nodes_have() -> None:
    """Every kind of amount, and only in its namespace; taking a pod away gives it back."""
    quota = RemainingQuota("staging", {"requests.cpu": 150, "pods": 2})
    capacity = ClusterCapacity([node(), node("n2")], quota=quota)
    first = pod(100)
    assert place(capacity, first) is not None
    assert capacity.quota is not None
    assert capacity.quota.shortage(pod(100)) == "requests.cpu"
    assert place(capacity, pod(100)) is None
    other = PodRequirements(owner="x", namespace="production", request=ResourceAmount(500))
    assert (capacity.quota.shortage(other), place(capacity, other) is not None) == (None, True)
    capacity.remove(first, "n1")
    assert capacity.quota.remaining == {"requests.cpu": 150, "pods": 2}
    assert RemainingQuota("staging", {"limits.memory": -5}).shortage(pod(limit=ResourceAmount(0, 0))) is None


def test_taking_a_pod_that_is_not_there_changes_nothing() -> None:
    """It was pushed out before, or its node is gone."""
    capacity = ClusterCapacity([node()])
    capacity.remove(pod(), "n1")
    capacity.remove(pod(), "gone")
    assert capacity.used("n1") == ResourceAmount()
