"""The release's peak against live nodes: what fits, what does not, and the advice that was tried out."""

from typing import Any

import pytest
import yaml

from todo_release.adapters.kubernetes.api_resources import (
    LIMIT_RANGES,
    NODES,
    PODS,
    PRIORITY_CLASSES,
    QUOTAS,
)
from todo_release.preflight.checks.capacity import CHECK
from todo_release.preflight.scheduling.node_table import node_table
from todo_release.preflight.snapshot import PreflightSnapshot

from ..snapshots import (
    error_causes,
    findings_of,
    live_object,
    make_config,
    make_manifest,
    make_snapshot,
    severities_of,
    summaries_of,
    workload,
)


def node(name: str, cpu: str = "1900m", memory: str = "3110Mi", **spec: Any) -> dict[str, Any]:
    """A node of the smallest kind."""
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": "110"}},
    }


def pod(
    name: str, on: str, cpu: str, memory: str = "64Mi", *, namespace: str = "staging", **rest: Any
) -> dict[str, Any]:
    """A live pod of the workload whose label it has."""
    owner = rest.pop("owner", "ReplicaSet")
    requests = {"cpu": cpu, "memory": memory}
    return {
        "metadata": {
            "name": f"{name}-{on}",
            "namespace": namespace,
            "labels": {"app": name},
            "ownerReferences": [{"kind": owner, "name": name}],
        },
        "spec": {"nodeName": on, "containers": [{"name": name, "resources": {"requests": requests}}], **rest},
        "status": {"phase": "Running"},
    }


def sized(name: str = "web", cpu: str = "100m", *, replicas: int = 1, **rest: Any) -> dict[str, Any]:
    """A Deployment that rolls with one pod too many and none too few, unless its strategy says otherwise."""
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    spec = {"replicas": replicas, "strategy": {"rollingUpdate": rolling}, **rest.pop("spec", {})}
    resources = {"requests": {"cpu": cpu, "memory": "64Mi"}}
    container = {"name": name, "image": f"registry.test/shop/{name}", "resources": resources}
    return workload(name, spec=spec, containers=[container], **rest)


def make_cluster(
    *objects: dict[str, Any], nodes: list[Any], pods: list[Any] | None = None, **rest: Any
) -> PreflightSnapshot:
    """A cluster of these nodes and pods; every rendered workload that has pods is there already."""
    lists = {NODES: nodes, PODS: pods or [], **rest.pop("lists", {})}
    names = {live["metadata"]["labels"]["app"] for live in pods or ()}
    for rendered in make_manifest(*objects).objects:
        if rendered.name in names:
            lists.setdefault(rendered.resource, []).append(live_object(rendered.body))
    return make_snapshot(*objects, lists=lists, **rest)


def test_rollout_that_fits_says_nothing() -> None:
    """Zero false alarms on a healthy cluster."""
    snapshot = make_cluster(
        sized("web", "200m", replicas=2), nodes=[node("n1")], pods=[pod("web", "n1", "200m")] * 2
    )
    assert summaries_of(CHECK, snapshot) == []


def test_surge_deadlock_names_need_best_node_and_what_helps() -> None:
    """The sentence a person needs; every remedy in it was tried."""
    others = [
        pod("other", name, cpu, namespace="monitoring") for name, cpu in (("n1", "1420m"), ("n2", "1800m"))
    ]
    snapshot = make_cluster(
        sized("worker", "350m"),
        nodes=[node("n1"), node("n2")],
        pods=[*others, pod("worker", "n1", "300m")],
    )
    (finding,) = findings_of(CHECK, snapshot)
    assert (finding.severity.value, finding.subject) == ("error", "Deployment/worker")
    assert finding.cause == "worker needs 350m, the best node (n1) has 180m."
    assert finding.remedy == (
        "Set maxSurge 0 and maxUnavailable 1, lower its request to 180m, or add a node."
    )
    assert finding.path == "spec.template.spec.containers[0].resources.requests.cpu"


def test_advice_that_would_not_help_is_not_given() -> None:
    """Without its old pod the new one still would not fit; only a node helps."""
    snapshot = make_cluster(
        sized("web", "900m"), nodes=[node("n1", "1000m")], pods=[pod("other", "n1", "995m")]
    )
    (finding,) = findings_of(CHECK, snapshot)
    assert finding.remedy == "Add a node."
    snapshot = make_cluster(
        sized("web", "1500m"), nodes=[node("n1", "1000m")], pods=[pod("other", "n1", "995m")]
    )
    (finding,) = findings_of(CHECK, snapshot)
    assert finding.remedy == "No single change helps: lower several requests, or use larger nodes."


def test_memory_can_be_what_is_missing() -> None:
    """And both at once."""
    small = node("n1", "1000m", "100Mi")
    assert error_causes(
        CHECK, make_cluster(sized("web"), nodes=[small], pods=[pod("other", "n1", "100m", "60Mi")])
    ) == ["web needs 64Mi, the best node (n1) has 40Mi."]
    assert error_causes(
        CHECK, make_cluster(sized("web"), nodes=[small], pods=[pod("other", "n1", "950m", "60Mi")])
    ) == ["web needs 100m and 64Mi, the best node (n1) has 50m and 40Mi."]


def test_nodes_that_are_not_open_are_named_with_the_reason() -> None:
    """Taints, cordons, selectors."""
    taint = {"key": "gpu", "effect": "NoSchedule"}
    snapshot = make_cluster(sized(), nodes=[node("n1", taints=[taint]), node("n2", unschedulable=True)])
    assert error_causes(CHECK, snapshot) == [
        "web finds no eligible node: n1 has the taint gpu; n2 is cordoned."
    ]


def test_node_that_runs_all_the_pods_it_may_is_full() -> None:
    """Whatever they request."""
    full = node("n1")
    full["status"]["allocatable"]["pods"] = "1"
    assert error_causes(CHECK, make_cluster(sized(), nodes=[full], pods=[pod("other", "n1", "0")])) == [
        "web fits nowhere: n1 runs all the 1 pods that it may."
    ]


def test_workloads_that_roll_in_turns_are_a_warning() -> None:
    """The rollout ends, only later."""
    pods = [pod("web", "n1", "300m"), pod("api", "n1", "300m")]
    snapshot = make_cluster(
        sized("web", "300m"), sized("api", "300m"), nodes=[node("n1", "1000m")], pods=pods
    )
    (finding,) = findings_of(CHECK, snapshot)
    assert (finding.severity.value, finding.subject) == ("warning", "Deployment/api")
    assert "Deployment/api must wait until others have removed old pods" in finding.cause


def test_workload_whose_template_did_not_change_needs_no_surge() -> None:
    """What Helm deployed last is compared; a deployment that is gone would be made again."""
    web = sized("web", "600m")
    before = make_manifest(web)
    pods = [pod("web", "n1", "600m")]
    nodes = [node("n1", "1000m")]
    assert (
        summaries_of(CHECK, make_cluster(web, nodes=nodes, pods=pods, live={"last_manifest": before})) == []
    )
    assert len(error_causes(CHECK, make_cluster(web, nodes=nodes, pods=pods))) == 1
    changed = sized("web", "610m")
    assert (
        len(
            error_causes(CHECK, make_cluster(changed, nodes=nodes, pods=pods, live={"last_manifest": before}))
        )
        == 1
    )


def test_more_replicas_of_an_unchanged_workload_need_room_for_the_new_ones() -> None:
    """Scaling is no rolling, but it takes room."""
    before = make_manifest(sized("web", "300m"))
    nodes, pods = [node("n1", "1000m")], [pod("web", "n1", "300m")]
    three, four = sized("web", "300m", replicas=3), sized("web", "300m", replicas=4)
    assert (
        summaries_of(CHECK, make_cluster(three, nodes=nodes, pods=pods, live={"last_manifest": before})) == []
    )
    assert (
        len(error_causes(CHECK, make_cluster(four, nodes=nodes, pods=pods, live={"last_manifest": before})))
        == 1
    )


def test_sidecar_counts_with_what_its_annotations_ask_for() -> None:
    """50m a pod is what made the real releases fail."""
    annotations = {"dapr.io/enabled": "true", "dapr.io/sidecar-cpu-request": "50m"}
    snapshot = make_cluster(sized("web", "80m", annotations=annotations), nodes=[node("n1", "100m")])
    assert error_causes(CHECK, snapshot) == ["web needs 130m, the best node (n1) has 100m."]


def test_limit_stands_in_for_a_missing_request_and_a_limit_range_for_both() -> None:
    """As the API server fills them in."""
    only_limit = workload(containers=[{"name": "web", "resources": {"limits": {"cpu": "500m"}}}])
    assert error_causes(CHECK, make_cluster(only_limit, nodes=[node("n1", "100m")])) == [
        "web needs 500m, the best node (n1) has 100m."
    ]
    defaults = {"type": "Container", "defaultRequest": {"cpu": "200m"}, "default": {"cpu": "300m"}}
    ranges = {LIMIT_RANGES: [{"metadata": {}, "spec": {"limits": [defaults, {"type": "Pod"}]}}]}
    assert error_causes(CHECK, make_cluster(workload(), nodes=[node("n1", "100m")], lists=ranges)) == [
        "web needs 200m, the best node (n1) has 100m."
    ]


def test_init_containers_count_by_their_largest_beside_native_sidecars() -> None:
    """KEP-753; and the runtime's overhead comes on top."""
    native = {"name": "proxy", "restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}}
    init = {"name": "init", "resources": {"requests": {"cpu": "300m"}}}
    app = {"name": "web", "resources": {"requests": {"cpu": "100m"}}}
    snapshot = make_cluster(
        workload(initContainers=[native, init], containers=[app], overhead={"cpu": "10m"}),
        nodes=[node("n1", "100m")],
    )
    assert error_causes(CHECK, snapshot) == ["web needs 360m, the best node (n1) has 100m."]


def test_pods_on_their_way_out_or_done_take_no_room() -> None:
    """They are gone before the new ones start."""
    going, done = pod("other", "n1", "900m"), pod("other", "n1", "900m")
    going["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    done["status"]["phase"] = "Succeeded"
    assert summaries_of(CHECK, make_cluster(sized(), nodes=[node("n1", "1000m")], pods=[going, done])) == []


@pytest.mark.parametrize(
    ("spec", "problems"),
    [
        ({"strategy": {"type": "Recreate"}}, 0),
        ({"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "50%"}}}, 0),
        ({"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}}, 0),
        ({"strategy": {}}, 1),
        ({"strategy": {"rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 0}}}, 1),
    ],
    ids=["recreate", "half unavailable", "both zero", "defaults", "half surge"],
)
def test_strategy_decides_whether_old_and_new_stand_side_by_side(spec: dict[str, Any], problems: int) -> None:
    """Percentages are rounded as the controller does; two zeroes mean one unavailable."""
    snapshot = make_cluster(
        sized("web", "450m", replicas=2, spec=spec),
        nodes=[node("n1", "1000m")],
        pods=[pod("web", "n1", "450m"), pod("web", "n1", "450m")],
    )
    assert len(error_causes(CHECK, snapshot)) == problems


def test_stateful_set_replaces_its_pods_in_place() -> None:
    """One goes before one comes."""
    state = workload(
        "db",
        kind="StatefulSet",
        spec={"replicas": 1},
        containers=[{"name": "db", "resources": {"requests": {"cpu": "900m"}}}],
    )
    assert (
        summaries_of(CHECK, make_cluster(state, nodes=[node("n1", "1000m")], pods=[pod("db", "n1", "900m")]))
        == []
    )


def test_daemon_set_needs_room_on_every_node_that_is_open_to_it() -> None:
    """Its old pod goes first; a node that keeps it out does not count."""
    resources = {"requests": {"cpu": "300m"}}
    agent = workload("agent", kind="DaemonSet", containers=[{"name": "agent", "resources": resources}])
    nodes = [node("n1", "1000m"), node("n2", "1000m"), node("n3", "100m", unschedulable=True)]
    pods = [
        pod("agent", "n1", "200m"),
        pod("other", "n1", "700m"),
        pod("agent", "n2", "200m"),
        pod("other", "n2", "750m"),
    ]
    assert error_causes(CHECK, make_cluster(agent, nodes=nodes, pods=pods)) == [
        "agent needs 300m, the best node (n2) has 250m."
    ]
    same = {"last_manifest": make_manifest(agent)}
    assert summaries_of(CHECK, make_cluster(agent, nodes=nodes, pods=pods, live=same)) == []


def test_hook_that_finds_no_place_ends_the_release_before_it_begins() -> None:
    """A migration needs room too, alone and first; Jobs that ran and timed ones need none now."""
    container = {"name": "migrate", "resources": {"requests": {"cpu": "500m"}}}
    hook = workload("migrate", kind="Job", hook="pre-upgrade", containers=[container])
    (finding,) = findings_of(CHECK, make_cluster(hook, nodes=[node("n1", "300m")]))
    assert finding.cause == (
        "migrate needs 500m, the best node (n1) has 300m: the hook never starts and the release ends there."
    )
    assert finding.remedy == "Lower its request to 300m."
    assert summaries_of(CHECK, make_cluster(hook, nodes=[node("n1", "500m")])) == []
    (finding,) = findings_of(
        CHECK, make_cluster(hook, nodes=[node("n1", "300m")], pods=[pod("other", "n1", "295m")])
    )
    assert finding.remedy == "No single change helps: lower several requests, or use larger nodes."


def test_plain_job_takes_room_once_and_a_timed_one_later() -> None:
    """A Job that is there already ran; a CronJob runs at night."""
    container = {"name": "seed", "resources": {"requests": {"cpu": "500m"}}}
    job = workload("seed", kind="Job", containers=[container])
    assert len(error_causes(CHECK, make_cluster(job, nodes=[node("n1", "300m")]))) == 1
    there = {make_manifest(job).objects[0].resource: [live_object(job)]}
    assert summaries_of(CHECK, make_cluster(job, nodes=[node("n1", "300m")], lists=there)) == []
    timed = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "nightly"},
        "spec": {"jobTemplate": {"spec": {"template": job["spec"]["template"]}}},
    }
    assert summaries_of(CHECK, make_cluster(timed, nodes=[node("n1", "300m")])) == []


CLASSES = {
    PRIORITY_CLASSES: [
        {"metadata": {"name": "high"}, "value": 100},
        {"metadata": {"name": "polite"}, "value": 100, "preemptionPolicy": "Never"},
        {"metadata": {"name": "usual"}, "value": 50, "globalDefault": True},
    ]
}


def test_pods_that_would_be_pushed_out_are_named() -> None:
    """Production may roll by evicting staging; that is a warning, and only where the class allows it."""
    lesser = pod("other", "n1", "900m", namespace="play", priority=10)
    snapshot = make_cluster(
        sized("web", "300m", priorityClassName="high"),
        nodes=[node("n1", "1000m")],
        pods=[lesser],
        lists=CLASSES,
    )
    assert summaries_of(CHECK, snapshot) == [
        (
            "warning",
            "Namespace/staging",
            "The scheduler will evict pods of lower priority to make room: play/ReplicaSet/other.",
        )
    ]
    polite = make_cluster(
        sized("web", "300m", priorityClassName="polite"),
        nodes=[node("n1", "1000m")],
        pods=[lesser],
        lists=CLASSES,
    )
    assert len(error_causes(CHECK, polite)) == 1
    by_default = make_cluster(sized("web", "300m"), nodes=[node("n1", "1000m")], pods=[lesser], lists=CLASSES)
    assert severities_of(CHECK, by_default) == ["warning"]


def quota(used: dict[str, str], **hard: str) -> dict[Any, Any]:
    """A ResourceQuota of the namespace."""
    names = {key.replace("_", "."): value for key, value in hard.items()}
    scoped = {"metadata": {}, "spec": {"hard": {"pods": "0"}, "scopes": ["BestEffort"]}}
    return {QUOTAS: [{"metadata": {}, "spec": {"hard": names}, "status": {"used": used}}, scoped]}


def test_quota_without_room_for_one_more_pod_is_an_error() -> None:
    """However empty the nodes are; a Deployment without surge gets by."""
    pods = [pod("web", "n1", "500m")]
    lists = quota({"requests.cpu": "500m"}, requests_cpu="600m")
    (finding,) = findings_of(
        CHECK, make_cluster(sized("web", "500m"), nodes=[node("n1")], pods=pods, lists=lists)
    )
    assert finding.cause == "web needs 500m and 64Mi, the quota has 100m of requests.cpu left."
    assert finding.remedy == (
        "Set maxSurge 0 and maxUnavailable 1, lower its request to 100m, or raise the quota."
    )


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        (quota({"cpu": "1"}, cpu="1"), "0m of requests.cpu"),
        (quota({"memory": "1Gi"}, memory="1030Mi"), "6Mi of requests.memory"),
        (quota({"pods": "3"}, pods="3"), "0 of pods"),
    ],
)
def test_quota_is_read_by_every_name_it_may_have(lists: dict[Any, Any], said: str) -> None:
    """Short names are those of requests."""
    (finding,) = findings_of(CHECK, make_cluster(sized(), nodes=[node("n1")], lists=lists))
    assert finding.cause.endswith(f"the quota has {said} left.")


def test_container_without_what_the_quota_counts_is_refused() -> None:
    """Admission does not guess."""
    snapshot = make_cluster(
        sized(), nodes=[node("n1")], lists=quota({}, limits_cpu="4", requests_memory="4Gi")
    )
    assert error_causes(CHECK, snapshot) == [
        "Container web has no limits of cpu, which the namespace's quota counts: its pods are refused."
    ]


def test_container_outside_of_the_limit_range_is_refused() -> None:
    """Too large and too small."""
    rule = {"type": "Container", "max": {"cpu": "200m"}, "min": {"memory": "128Mi", "cpu": "1m"}}
    big = workload(
        containers=[
            {
                "name": "web",
                "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1m", "memory": "64Mi"}},
            }
        ]
    )
    snapshot = make_cluster(
        big, nodes=[node("n1")], lists={LIMIT_RANGES: [{"metadata": {}, "spec": {"limits": [rule]}}]}
    )
    assert error_causes(CHECK, snapshot) == [
        "Container web has limits of 1 cpu, the LimitRange's max is 200m: its pods are refused.",
        "Container web has requests of 64Mi memory, the LimitRange's min is 128Mi: its pods are refused.",
    ]


POOL_LABEL = "nodes.test/pool"
GROWING = {"node_pools": {"label": POOL_LABEL, "max_nodes": 2}}


def pooled(name: str, cpu: str = "1000m") -> dict[str, Any]:
    """A node of a pool that grows by itself."""
    made = node(name, cpu)
    made["metadata"]["labels"][POOL_LABEL] = "default"
    return made


def test_autoscaler_may_add_the_nodes_that_are_missing() -> None:
    """With as many as the pool may have; a daemon of every node is on the new one too."""
    grows = make_config(preflight=GROWING)
    daemon = pod("agent", "n1", "100m", namespace="kube-system", owner="DaemonSet")
    nodes, pods = [pooled("n1")], [daemon, pod("other", "n1", "800m")]
    (finding,) = findings_of(CHECK, make_cluster(sized("web", "900m"), nodes=nodes, pods=pods, config=grows))
    assert (finding.severity.value, finding.cause) == (
        "warning",
        "web needs 900m, the best node (n1) has 100m: the autoscaler must add a node, which takes minutes.",
    )
    assert (
        len(error_causes(CHECK, make_cluster(sized("web", "950m"), nodes=nodes, pods=pods, config=grows)))
        == 1
    )


def test_nodes_of_no_pool_do_not_grow() -> None:
    """Whatever release.yaml says."""
    nodes, pods = [node("n1", "1000m")], [pod("other", "n1", "900m")]
    snapshot = make_cluster(
        sized("web", "900m"), nodes=nodes, pods=pods, config=make_config(preflight=GROWING)
    )
    assert len(error_causes(CHECK, snapshot)) == 1


def scaler(name: str, least: int, most: int) -> dict[str, Any]:
    """A HorizontalPodAutoscaler of a Deployment."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"scaleTargetRef": target, "minReplicas": least, "maxReplicas": most}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": spec,
    }


def test_autoscalers_at_their_most_are_a_warning() -> None:
    """Not today, but at the first busy hour; with nodes that may be added there is room."""
    web = sized("web", "300m")
    del web["spec"]["replicas"]
    other = scaler("api", 1, 9)
    nodes = [node("n1", "1000m")]
    (finding,) = findings_of(CHECK, make_cluster(web, scaler("web", 2, 6), other, nodes=nodes))
    assert (finding.severity.value, finding.cause) == (
        "warning",
        "At maxReplicas the autoscalers want 4 more pods, and 3 of them fit nowhere (web 3).",
    )
    snapshot = make_cluster(
        web, scaler("web", 2, 6), nodes=[pooled("n1")], config=make_config(preflight=GROWING)
    )
    assert summaries_of(CHECK, snapshot) == []


def test_replicas_that_the_chart_does_not_state_are_the_live_ones() -> None:
    """An autoscaler's count is kept; without one and without a live object it is one."""
    web = sized("web", "300m")
    del web["spec"]["replicas"]
    pods = [pod("web", "n1", "300m")] * 3
    snapshot = make_cluster(web, nodes=[node("n1", "1000m")], pods=pods)
    snapshot.live.lists[snapshot.manifest.objects[0].resource][0]["spec"]["replicas"] = 3
    assert len(error_causes(CHECK, snapshot)) == 1
    assert summaries_of(CHECK, make_cluster(web, nodes=[node("n1", "300m")])) == []


def test_packing_that_only_a_careful_scheduler_finds_is_a_warning() -> None:
    """The default scheduler spreads, and then the last of the large ones finds no node."""
    nodes, pods = [node("n1", "1000m"), node("n2", "1000m")], [pod("other", "n2", "400m")]
    snapshot = make_cluster(sized("a", "600m"), sized("b", "500m", replicas=2), nodes=nodes, pods=pods)
    (finding,) = findings_of(CHECK, snapshot)
    assert (finding.severity.value, finding.subject) == ("warning", "Deployment/b")
    assert "only if the scheduler packs the nodes tightly" in finding.cause


def test_spreading_that_fits_where_packing_does_not_is_fine() -> None:
    """It is what the scheduler does by default."""
    nodes = [node("n1", "500m"), node("n2", "500m")]
    pods = [pod("other", "n2", "100m")]
    snapshot = make_cluster(sized("a", "300m"), sized("b", "200m", replicas=3), nodes=nodes, pods=pods)
    assert summaries_of(CHECK, snapshot) == []


def test_cluster_without_nodes_is_an_error() -> None:
    """Nothing could run."""
    assert error_causes(CHECK, make_cluster(sized(), nodes=[])) == ["The cluster has no nodes."]


def test_table_shows_every_node_now_and_at_the_peak() -> None:
    """What a person compares before they decide."""
    snapshot = make_cluster(
        sized("web", "300m"),
        nodes=[node("n1", "1000m", "1Gi"), node("n2", "0", "0", unschedulable=True)],
        pods=[pod("web", "n1", "300m")],
    )
    table = node_table(snapshot)
    assert table.title == "Requests on the nodes, rolling 0.1.0 in staging"
    assert table.rows == (
        ("n1", "1000m", "300m", "600m (60 %)", "1024Mi", "64Mi", "128Mi (12 %)"),
        ("n2 (cordoned)", "0m", "0m", "0m ", "0Mi", "0Mi", "0Mi "),
    )


def test_yaml_of_tests_is_what_helm_would_print() -> None:
    """The objects above survive being written and read."""
    assert yaml.safe_load(yaml.safe_dump(sized())) == sized()
