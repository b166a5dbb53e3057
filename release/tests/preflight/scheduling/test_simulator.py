"""Which node takes a pod, and how rolling updates use the room: the scheduler's rules, one by one."""

from typing import Any

import pytest

from todo_release.adapters.kubernetes.selectors import admits, selects, untolerated
from todo_release.preflight.scheduling.rolling_update import Change, play
from todo_release.preflight.scheduling.simulator import Amount, Node, Placement, Quota, Room, Shape

MIB = 2**20


def node(name: str = "n1", cpu: int = 1000, memory: int = 1000, **rest: Any) -> Node:
    """A node; memory in MiB."""
    labels = {"kubernetes.io/hostname": name, **rest.pop("labels", {})}
    return Node(name=name, allocatable=Amount(cpu, memory * MIB), labels=labels, **rest)


def pod(cpu: int = 100, memory: int = 100, **rest: Any) -> Shape:
    """A pod of `web` in staging; memory in MiB."""
    return Shape(owner="Deployment/web", namespace="staging", request=Amount(cpu, memory * MIB), **rest)


def where(room: Room, shape: Shape, order: Any = "pack") -> str | None:
    """The node a pod goes to."""
    placement = room.place(shape, order)
    return placement.node.name if placement else None


def test_pod_goes_where_both_cpu_and_memory_fit() -> None:
    """One of the two is not enough."""
    room = Room([node("cpu", 1000, 50), node("memory", 50, 1000), node("both", 100, 100)])
    assert where(room, pod()) == "both"
    assert (room.free("both"), room.used("both")) == (Amount(0, 0), Amount(100, 100 * MIB))
    assert where(room, pod()) is None


def test_pod_that_asks_for_nothing_fits_on_a_full_node() -> None:
    """Best effort is how a cluster gets more than it has."""
    room = Room([node(cpu=0, memory=0)], [("n1", pod())])
    assert where(room, pod(0, 0)) == "n1"


def test_spread_takes_the_emptiest_node_and_pack_the_fullest() -> None:
    """Two ways to fill the same room."""
    room = Room([node("empty"), node("half")], [("half", pod(500))])
    assert where(room.copy(), pod(), "spread") == "empty"
    assert where(room.copy(), pod(), "pack") == "half"


def test_copy_leaves_the_room_as_it_was_and_may_have_more_nodes() -> None:
    """New nodes come with the daemons of every node."""
    room = Room([node()], [("n1", pod(900)), ("gone", pod())])
    bigger = room.copy([(node("n2"), [pod(200)])])
    assert where(bigger, pod(800)) == "n2"
    assert bigger.free("n2") == Amount(0, 800 * MIB)
    assert list(room.nodes) == ["n1"]
    assert [len(room.pods_on("n1")), len(bigger.pods_on("n2"))] == [1, 2]


def test_node_takes_no_more_pods_than_it_may_run() -> None:
    """Whatever they ask for."""
    room = Room([node(pods=1)], [("n1", pod(0, 0))])
    assert where(room, pod(0, 0)) is None


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
    room = Room([node(taints=(TAINT,))])
    tolerations = (toleration,) if toleration else ()
    assert (where(room, pod(tolerations=tolerations)) == "n1") is is_in


def test_taint_that_only_prefers_keeps_nobody_out() -> None:
    """It is a wish."""
    assert untolerated([{**TAINT, "effect": "PreferNoSchedule"}], []) == []


def test_refusal_says_why_a_node_does_not_take_a_pod() -> None:
    """For people who wonder."""
    room = Room([node("n1"), node("n2", taints=(TAINT,)), node("n3", is_cordoned=True)])
    assert [room.refusal(pod(only_node="n1"), one) for one in room.nodes.values()] == [
        None, "is another node", "is another node",
    ]  # fmt: skip
    selecting = pod(node_selector={"disk": "ssd"}, tolerations=({"operator": "Exists"},))
    assert [room.refusal(selecting, one) for one in room.nodes.values()] == [
        "is not selected", "is not selected", "is cordoned",
    ]  # fmt: skip
    assert room.refusal(pod(), room.nodes["n2"]) == "has the taint gpu"


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
    room = Room([node(labels=labels)])
    assert (where(room, pod(node_terms=terms)) == "n1") is is_chosen


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
    """The second pod goes to the other node although the first has room; a third may go anywhere."""
    web = pod(labels={"app": "web"}, spread=(SPREAD,))
    room = Room([Node(name="bare", allocatable=Amount(9999, 9999 * MIB)), node("n1"), node("n2")])
    assert {where(room, web), where(room, web)} == {"n1", "n2"}
    assert where(room, web) is not None
    assert room.refusal(web, room.nodes["bare"]) == "would make the spread uneven"


def test_topology_spread_counts_only_pods_of_the_revision_and_namespace_it_asks_for() -> None:
    """Old pods on a node do not push the new ones away from it."""
    rule = {**SPREAD, "matchLabelKeys": ["pod-template-hash"]}
    old = pod(labels={"app": "web", "pod-template-hash": "old"})
    new = pod(labels={"app": "web", "pod-template-hash": "new"}, spread=(rule,))
    other = Shape(owner="x", namespace="production", request=Amount(), labels=new.labels)
    room = Room([node("n1"), node("n2", cpu=0)], [("n1", old), ("n1", old), ("n1", other)])
    assert where(room, new) == "n1"
    assert where(room, new) is None


def test_preemption_pushes_out_the_least_important_and_the_fewest() -> None:
    """A node whose pods matter least gives way; pods of the same class never do."""
    lowest, low, same = pod(600, priority=-10), pod(600, priority=0), pod(1000, priority=10)
    room = Room(
        [node("low"), node("lowest"), node("same")], [("low", low), ("lowest", lowest), ("same", same)]
    )
    assert room.place(pod(800, priority=10)) == Placement(room.nodes["lowest"], (lowest,))
    assert room.pods_on("lowest")[0].priority == 10
    assert lowest not in room.pods_on("lowest")


def test_preemption_takes_larger_pods_first_and_stops_when_there_is_room() -> None:
    """Three small ones could go, one large one is enough; with a free place for pods none need go for
    that.
    """
    small, large = pod(100, priority=0), pod(500, priority=0)
    room = Room([node()], [("n1", small), ("n1", small), ("n1", large)])
    placement = room.place(pod(700, priority=1))
    assert placement is not None
    assert placement.victims == (large,)


def test_preemption_is_not_for_those_who_never_preempt_nor_when_it_would_not_help() -> None:
    """And nobody is pushed out in vain."""
    room = Room([node()], [("n1", pod(900, priority=0))])
    assert where(room, pod(500, priority=5, may_preempt=False)) is None
    assert where(room, pod(1500, priority=5)) is None
    assert len(room.pods_on("n1")) == 1


def test_quota_bounds_a_namespace_whatever_room_the_nodes_have() -> None:
    """Every kind of amount, and only in its namespace; taking a pod away gives it back."""
    quota = Quota("staging", {"requests.cpu": 150, "pods": 2})
    room = Room([node(), node("n2")], quota=quota)
    first = pod(100)
    assert where(room, first) is not None
    assert room.quota is not None
    assert room.quota.lacks(pod(100)) == "requests.cpu"
    assert where(room, pod(100)) is None
    other = Shape(owner="x", namespace="production", request=Amount(500))
    assert (room.quota.lacks(other), where(room, other) is not None) == (None, True)
    room.take(first, "n1")
    assert room.quota.left == {"requests.cpu": 150, "pods": 2}
    assert Quota("staging", {"limits.memory": -5}).lacks(pod(limit=Amount(0, 0))) is None


def test_taking_a_pod_that_is_not_there_changes_nothing() -> None:
    """It was pushed out before, or its node is gone."""
    room = Room([node()])
    room.take(pod(), "n1")
    room.take(pod(), "gone")
    assert room.used("n1") == Amount()


def change(cpu: int = 100, *, desired: int = 1, **rest: Any) -> Change:
    """A workload that rolls; `old` may be given as (node, cpu) pairs."""
    old = tuple((name, pod(size)) for name, size in rest.pop("old", ()))
    shape = pod(cpu, labels={"app": "web"}, **rest.pop("shape", {}))
    return Change(name=rest.pop("name", "Deployment/web"), shape=shape, desired=desired, old=old, **rest)


def room_of(*nodes: Node, changes: tuple[Change, ...] = ()) -> Room:
    """A room in which the old pods of the changes run."""
    return Room(nodes, [placed for one in changes for placed in one.old])


def test_surge_that_fits_is_seen_at_the_peak_and_gone_at_the_end() -> None:
    """Old and new stand side by side for a moment."""
    web = change(300, desired=2, surge=1, old=[("n1", 300), ("n1", 300)])
    played = play(room_of(node(), changes=(web,)), [web])
    assert (played.stuck, played.waiting) == ((), ())
    assert (played.peak.used("n1").cpu, played.end.used("n1").cpu) == (900, 600)


def test_surge_without_room_is_stuck_and_unavailable_pods_make_room() -> None:
    """The deadlock that no tool reports, and what helps against it."""
    web = change(600, surge=1, old=[("n1", 600)])
    room = room_of(node(), changes=(web,))
    assert play(room, [web]).stuck == (web,)
    turned = Change(name=web.name, shape=web.shape, desired=1, unavailable=1, old=web.old)
    assert play(room, [turned]).stuck == ()


def test_workloads_that_find_no_place_together_roll_in_turns() -> None:
    """One waits until the other has let go."""
    web = change(300, surge=1, old=[("n1", 300)], name="Deployment/web")
    api = change(250, surge=1, old=[("n1", 250)], name="Deployment/api")
    played = play(room_of(node(cpu=850), changes=(web, api)), [api, web])
    assert (played.waiting, played.stuck) == ((api,), ())
    assert played.end.used("n1").cpu == 550


def test_larger_requests_can_get_stuck_after_the_first_wave() -> None:
    """The first new pod fits, but what one old one frees is not enough for the second."""
    web = change(500, desired=2, surge=1, old=[("n1", 100), ("n1", 100)])
    played = play(room_of(node(cpu=900), changes=(web,)), [web])
    assert (played.waiting, played.stuck) == ((), (web,))


def test_pods_that_are_there_already_are_kept_and_only_missing_ones_added() -> None:
    """Scaling without rolling."""
    web = change(300, desired=3, kept=2)
    played = play(Room([node(cpu=1000)], [("n1", pod(300)), ("n1", pod(300))]), [web])
    assert played.end.used("n1").cpu == 900
    assert play(Room([node()]), [change(300, desired=1, kept=2)]).stuck == ()


def test_victims_of_a_rollout_are_named() -> None:
    """Whoever must go so that production can roll."""
    web = change(600, desired=1, shape={"priority": 5})
    lesser = pod(600, priority=0)
    assert play(Room([node()], [("n1", lesser)]), [web]).victims == (lesser,)


def test_nothing_to_roll_is_a_room_that_stays_as_it_is() -> None:
    """An empty release."""
    played = play(Room([node()]), [])
    assert (played.peak.used("n1"), played.stuck) == (Amount(), ())
