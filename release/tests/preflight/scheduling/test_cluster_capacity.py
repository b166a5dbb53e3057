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
    """A pod fits only where both CPU and memory are free."""
    capacity = ClusterCapacity([node("cpu", 1000, 50), node("memory", 50, 1000), node("both", 100, 100)])
    assert place(capacity, pod()) == "both"
    assert (capacity.free("both"), capacity.used("both")) == (
        ResourceAmount(0, 0),
        ResourceAmount(100, 100 * MIB),
    )
    assert place(capacity, pod()) is None


def test_pod_without_requests_fits_on_a_full_node() -> None:
    """A best-effort pod needs no free resources."""
    capacity = ClusterCapacity([node(cpu=0, memory=0)], [("n1", pod())])
    assert place(capacity, pod(0, 0)) == "n1"


def test_spread_takes_the_emptiest_node_and_pack_the_fullest() -> None:
    """The scoring decides which fitting node is chosen."""
    capacity = ClusterCapacity([node("empty"), node("half")], [("half", pod(500))])
    assert place(capacity.copy(), pod(), "spread") == "empty"
    assert place(capacity.copy(), pod(), "pack") == "half"


def test_copy_is_independent_and_may_have_more_nodes() -> None:
    """Added nodes come with the pods that run on each of them."""
    capacity = ClusterCapacity([node()], [("n1", pod(900)), ("gone", pod())])
    bigger = capacity.copy([(node("n2"), [pod(200)])])
    assert place(bigger, pod(800)) == "n2"
    assert bigger.free("n2") == ResourceAmount(0, 800 * MIB)
    assert list(capacity.nodes) == ["n1"]
    assert [len(capacity.pods_on("n1")), len(bigger.pods_on("n2"))] == [1, 2]


def test_node_accepts_no_more_pods_than_its_limit() -> None:
    """The pod limit counts for pods without requests too."""
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
def test_taint_rejects_pods_that_do_not_tolerate_it(toleration: dict[str, str] | None, is_in: bool) -> None:
    """Tolerations match by key, value and effect; one without a key tolerates all."""
    capacity = ClusterCapacity([node(taints=(TAINT,))])
    tolerations = (toleration,) if toleration else ()
    assert (place(capacity, pod(tolerations=tolerations)) == "n1") is is_in


def test_taint_with_prefer_no_schedule_rejects_no_pod() -> None:
    """PreferNoSchedule is only a preference."""
    assert untolerated([{**TAINT, "effect": "PreferNoSchedule"}], []) == []


def test_rejection_says_why_a_node_does_not_accept_a_pod() -> None:
    """Each reason has its own text."""
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
    """Every operator of Kubernetes is supported."""
    labels = {"zone": "a", "cores": "4"}
    terms = ({"matchExpressions": [expression]},)
    assert admits(terms, "n1", labels) is is_chosen
    capacity = ClusterCapacity([node(labels=labels)])
    assert (place(capacity, pod(node_affinity_terms=terms)) == "n1") is is_chosen


def test_one_matching_node_selector_term_is_enough() -> None:
    """Terms are alternatives, and an empty term matches nothing."""
    by_name = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
    assert admits(({}, by_name), "n1", {})
    assert not admits(({}, by_name), "n2", {})


def test_selector_matches_when_all_its_parts_match() -> None:
    """No selector matches nothing, an empty one matches everything."""
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


def test_topology_spread_keeps_pods_even() -> None:
    """The second pod goes to the other node although the first has free resources."""
    web = pod(labels={"app": "web"}, topology_spread=(SPREAD,))
    capacity = ClusterCapacity(
        [NodeCapacity(name="bare", allocatable=ResourceAmount(9999, 9999 * MIB)), node("n1"), node("n2")]
    )
    assert {place(capacity, web), place(capacity, web)} == {"n1", "n2"}
    assert place(capacity, web) is not None
    assert capacity.rejection(web, capacity.nodes["bare"]) == "would break a topology spread constraint"


def test_topology_spread_counts_pods_of_its_revision_and_namespace() -> None:
    """Old pods on a node do not count for the new ones."""
    rule = {**SPREAD, "matchLabelKeys": ["pod-template-hash"]}
    old = pod(labels={"app": "web", "pod-template-hash": "old"})
    new = pod(labels={"app": "web", "pod-template-hash": "new"}, topology_spread=(rule,))
    other = PodRequirements(owner="x", namespace="production", request=ResourceAmount(), labels=new.labels)
    capacity = ClusterCapacity([node("n1"), node("n2", cpu=0)], [("n1", old), ("n1", old), ("n1", other)])
    assert place(capacity, new) == "n1"
    assert place(capacity, new) is None


def test_preemption_evicts_the_pods_of_lowest_priority() -> None:
    """Pods of the same priority are never evicted."""
    lowest, low, same = pod(600, priority=-10), pod(600, priority=0), pod(1000, priority=10)
    capacity = ClusterCapacity(
        [node("low"), node("lowest"), node("same")], [("low", low), ("lowest", lowest), ("same", same)]
    )
    assert capacity.place(pod(800, priority=10)) == Placement(capacity.nodes["lowest"], (lowest,))
    assert capacity.pods_on("lowest")[0].priority == 10
    assert lowest not in capacity.pods_on("lowest")


def test_preemption_evicts_large_pods_first_and_no_more_than_needed() -> None:
    """One large pod is evicted instead of three small ones."""
    small, large = pod(100, priority=0), pod(500, priority=0)
    capacity = ClusterCapacity([node()], [("n1", small), ("n1", small), ("n1", large)])
    placement = capacity.place(pod(700, priority=1))
    assert placement is not None
    assert placement.evicted == (large,)


def test_preemption_needs_permission_and_must_help() -> None:
    """A pod with the policy Never evicts nothing, and nothing is evicted in vain."""
    capacity = ClusterCapacity([node()], [("n1", pod(900, priority=0))])
    assert place(capacity, pod(500, priority=5, may_preempt=False)) is None
    assert place(capacity, pod(1500, priority=5)) is None
    assert len(capacity.pods_on("n1")) == 1


def test_quota_limits_its_namespace_on_free_nodes_too() -> None:
    """A quota counts for its own namespace, and a removed pod gives its part back."""
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


def test_removing_an_unknown_pod_changes_nothing() -> None:
    """The pod may have been evicted before, or its node may be unknown."""
    capacity = ClusterCapacity([node()])
    capacity.remove(pod(), "n1")
    capacity.remove(pod(), "gone")
    assert capacity.used("n1") == ResourceAmount()
