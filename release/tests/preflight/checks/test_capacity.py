"""The release's peak on live nodes: what fits, what does not, and which remedies are offered."""

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
    """Returns a small node."""
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": "110"}},
    }


def pod(
    name: str, on: str, cpu: str, memory: str = "64Mi", *, namespace: str = "staging", **rest: Any
) -> dict[str, Any]:
    """Returns a live pod of a workload."""
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


def deployment(name: str = "web", cpu: str = "100m", *, replicas: int = 1, **rest: Any) -> dict[str, Any]:
    """Returns a Deployment with maxSurge 1 and maxUnavailable 0, unless `spec` says otherwise."""
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    spec = {"replicas": replicas, "strategy": {"rollingUpdate": rolling}, **rest.pop("spec", {})}
    resources = {"requests": {"cpu": cpu, "memory": "64Mi"}}
    container = {"name": name, "image": f"registry.test/shop/{name}", "resources": resources}
    return workload(name, spec=spec, containers=[container], **rest)


def make_cluster(
    *objects: dict[str, Any], nodes: list[Any], pods: list[Any] | None = None, **rest: Any
) -> PreflightSnapshot:
    """Returns a cluster of these nodes and pods; rendered workloads that have pods are live already."""
    lists = {NODES: nodes, PODS: pods or [], **rest.pop("lists", {})}
    names = {live["metadata"]["labels"]["app"] for live in pods or ()}
    for rendered in make_manifest(*objects).objects:
        if rendered.name in names:
            lists.setdefault(rendered.resource, []).append(live_object(rendered.body))
    return make_snapshot(*objects, lists=lists, **rest)


def test_rollout_that_fits_is_no_finding() -> None:
    """A release that fits into a healthy cluster has no finding."""
    snapshot = make_cluster(
        deployment("web", "200m", replicas=2), nodes=[node("n1")], pods=[pod("web", "n1", "200m")] * 2
    )
    assert summaries_of(CHECK, snapshot) == []


def test_stuck_surge_names_request_best_node_and_remedies() -> None:
    """The finding names the request, the free capacity of the best node, and every remedy that works."""
    others = [
        pod("other", name, cpu, namespace="monitoring") for name, cpu in (("n1", "1420m"), ("n2", "1800m"))
    ]
    snapshot = make_cluster(
        deployment("worker", "350m"),
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


def test_remedies_that_would_not_help_are_not_offered() -> None:
    """Only remedies that let the simulated rollout finish are offered."""
    snapshot = make_cluster(
        deployment("web", "900m"), nodes=[node("n1", "1000m")], pods=[pod("other", "n1", "995m")]
    )
    (finding,) = findings_of(CHECK, snapshot)
    assert finding.remedy == "Add a node."
    snapshot = make_cluster(
        deployment("web", "1500m"), nodes=[node("n1", "1000m")], pods=[pod("other", "n1", "995m")]
    )
    (finding,) = findings_of(CHECK, snapshot)
    assert finding.remedy == "No single change helps: lower several requests, or use larger nodes."


def test_missing_memory_is_named_alone_and_beside_cpu() -> None:
    """The finding names each resource that is missing."""
    small = node("n1", "1000m", "100Mi")
    assert error_causes(
        CHECK, make_cluster(deployment("web"), nodes=[small], pods=[pod("other", "n1", "100m", "60Mi")])
    ) == ["web needs 64Mi, the best node (n1) has 40Mi."]
    assert error_causes(
        CHECK, make_cluster(deployment("web"), nodes=[small], pods=[pod("other", "n1", "950m", "60Mi")])
    ) == ["web needs 100m and 64Mi, the best node (n1) has 50m and 40Mi."]


def test_ineligible_nodes_are_named_with_the_reason() -> None:
    """The finding says why each node does not accept the pod."""
    taint = {"key": "gpu", "effect": "NoSchedule"}
    snapshot = make_cluster(deployment(), nodes=[node("n1", taints=[taint]), node("n2", unschedulable=True)])
    assert error_causes(CHECK, snapshot) == [
        "web finds no eligible node: n1 has the taint gpu; n2 is cordoned."
    ]


def test_node_with_its_maximum_of_pods_is_full() -> None:
    """A node at its pod limit accepts no pod, however little the pod requests."""
    full = node("n1")
    full["status"]["allocatable"]["pods"] = "1"
    assert error_causes(CHECK, make_cluster(deployment(), nodes=[full], pods=[pod("other", "n1", "0")])) == [
        "web fits nowhere: n1 runs all the 1 pods that it may."
    ]


def test_workloads_that_roll_in_turns_are_a_warning() -> None:
    """Workloads that must wait for each other finish later, which is a warning."""
    pods = [pod("web", "n1", "300m"), pod("api", "n1", "300m")]
    snapshot = make_cluster(
        deployment("web", "300m"), deployment("api", "300m"), nodes=[node("n1", "1000m")], pods=pods
    )
    (finding,) = findings_of(CHECK, snapshot)
    assert (finding.severity.value, finding.subject) == ("warning", "Deployment/api")
    assert "Deployment/api must wait until others have removed old pods" in finding.cause


def test_workload_whose_template_did_not_change_needs_no_surge() -> None:
    """A live workload with an unchanged template creates no pods."""
    web = deployment("web", "600m")
    before = make_manifest(web)
    pods = [pod("web", "n1", "600m")]
    nodes = [node("n1", "1000m")]
    assert (
        summaries_of(CHECK, make_cluster(web, nodes=nodes, pods=pods, live={"last_manifest": before})) == []
    )
    assert len(error_causes(CHECK, make_cluster(web, nodes=nodes, pods=pods))) == 1
    changed = deployment("web", "610m")
    assert (
        len(
            error_causes(CHECK, make_cluster(changed, nodes=nodes, pods=pods, live={"last_manifest": before}))
        )
        == 1
    )


def test_added_replicas_of_an_unchanged_workload_need_capacity() -> None:
    """Additional replicas need capacity although nothing rolls."""
    before = make_manifest(deployment("web", "300m"))
    nodes, pods = [node("n1", "1000m")], [pod("web", "n1", "300m")]
    three, four = deployment("web", "300m", replicas=3), deployment("web", "300m", replicas=4)
    assert (
        summaries_of(CHECK, make_cluster(three, nodes=nodes, pods=pods, live={"last_manifest": before})) == []
    )
    assert (
        len(error_causes(CHECK, make_cluster(four, nodes=nodes, pods=pods, live={"last_manifest": before})))
        == 1
    )


def test_sidecar_counts_with_the_requests_in_its_annotations() -> None:
    """The Dapr sidecar adds the requests that its annotations set."""
    annotations = {"dapr.io/enabled": "true", "dapr.io/sidecar-cpu-request": "50m"}
    snapshot = make_cluster(deployment("web", "80m", annotations=annotations), nodes=[node("n1", "100m")])
    assert error_causes(CHECK, snapshot) == ["web needs 130m, the best node (n1) has 100m."]


def test_missing_requests_come_from_limits_and_limit_ranges() -> None:
    """A missing request is the limit, or the default of the LimitRange, as the API server fills it in."""
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
    """A pod requests its largest init container, its native sidecars (KEP-753) and the overhead."""
    native = {"name": "proxy", "restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}}
    init = {"name": "init", "resources": {"requests": {"cpu": "300m"}}}
    app = {"name": "web", "resources": {"requests": {"cpu": "100m"}}}
    snapshot = make_cluster(
        workload(initContainers=[native, init], containers=[app], overhead={"cpu": "10m"}),
        nodes=[node("n1", "100m")],
    )
    assert error_causes(CHECK, snapshot) == ["web needs 360m, the best node (n1) has 100m."]


def test_deleted_and_completed_pods_use_no_capacity() -> None:
    """Pods that are being deleted or have ended do not count."""
    going, done = pod("other", "n1", "900m"), pod("other", "n1", "900m")
    going["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    done["status"]["phase"] = "Succeeded"
    assert (
        summaries_of(CHECK, make_cluster(deployment(), nodes=[node("n1", "1000m")], pods=[going, done])) == []
    )


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
def test_strategy_decides_whether_old_and_new_pods_run_together(spec: dict[str, Any], problems: int) -> None:
    """Percentages are rounded as the controller does; two zeroes count as maxUnavailable 1."""
    snapshot = make_cluster(
        deployment("web", "450m", replicas=2, spec=spec),
        nodes=[node("n1", "1000m")],
        pods=[pod("web", "n1", "450m"), pod("web", "n1", "450m")],
    )
    assert len(error_causes(CHECK, snapshot)) == problems


def test_stateful_set_replaces_its_pods_in_place() -> None:
    """A StatefulSet deletes a pod before it creates the new one."""
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


def test_daemon_set_needs_capacity_on_every_eligible_node() -> None:
    """Each eligible node must fit the new pod after the old one is gone; other nodes do not count."""
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


def test_hook_that_fits_nowhere_is_an_error() -> None:
    """A hook Job runs alone before the release and needs capacity too."""
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


def test_new_job_needs_capacity_and_existing_or_timed_ones_do_not() -> None:
    """A Job that exists has run already, and a CronJob creates no pod during the release."""
    container = {"name": "seed", "resources": {"requests": {"cpu": "500m"}}}
    job = workload("seed", kind="Job", containers=[container])
    assert len(error_causes(CHECK, make_cluster(job, nodes=[node("n1", "300m")]))) == 1
    live_jobs = {make_manifest(job).objects[0].resource: [live_object(job)]}
    assert summaries_of(CHECK, make_cluster(job, nodes=[node("n1", "300m")], lists=live_jobs)) == []
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


def test_preempted_pods_are_named_in_a_warning() -> None:
    """Preemption is a warning, and happens only where the priority class allows it."""
    low_priority = pod("other", "n1", "900m", namespace="sandbox", priority=10)
    snapshot = make_cluster(
        deployment("web", "300m", priorityClassName="high"),
        nodes=[node("n1", "1000m")],
        pods=[low_priority],
        lists=CLASSES,
    )
    assert summaries_of(CHECK, snapshot) == [
        (
            "warning",
            "Namespace/staging",
            "The scheduler will evict pods of lower priority: sandbox/ReplicaSet/other.",
        )
    ]
    polite = make_cluster(
        deployment("web", "300m", priorityClassName="polite"),
        nodes=[node("n1", "1000m")],
        pods=[low_priority],
        lists=CLASSES,
    )
    assert len(error_causes(CHECK, polite)) == 1
    by_default = make_cluster(
        deployment("web", "300m"), nodes=[node("n1", "1000m")], pods=[low_priority], lists=CLASSES
    )
    assert severities_of(CHECK, by_default) == ["warning"]


def quota(used: dict[str, str], **hard: str) -> dict[Any, Any]:
    """Returns a ResourceQuota of the namespace, and one with scopes, which is ignored."""
    names = {key.replace("_", "."): value for key, value in hard.items()}
    scoped = {"metadata": {}, "spec": {"hard": {"pods": "0"}, "scopes": ["BestEffort"]}}
    return {QUOTAS: [{"metadata": {}, "spec": {"hard": names}, "status": {"used": used}}, scoped]}


def test_quota_without_room_for_one_more_pod_is_an_error() -> None:
    """A quota that does not cover the surge is an error on empty nodes too."""
    pods = [pod("web", "n1", "500m")]
    lists = quota({"requests.cpu": "500m"}, requests_cpu="600m")
    (finding,) = findings_of(
        CHECK, make_cluster(deployment("web", "500m"), nodes=[node("n1")], pods=pods, lists=lists)
    )
    assert finding.cause == "web needs 500m and 64Mi, the quota has 100m of requests.cpu left."
    assert finding.remedy == (
        "Set maxSurge 0 and maxUnavailable 1, lower its request to 100m, or raise the quota."
    )


@pytest.mark.parametrize(
    ("lists", "remaining"),
    [
        (quota({"cpu": "1"}, cpu="1"), "0m of requests.cpu"),
        (quota({"memory": "1Gi"}, memory="1030Mi"), "6Mi of requests.memory"),
        (quota({"pods": "3"}, pods="3"), "0 of pods"),
    ],
)
def test_quota_keys_have_short_names_for_requests(lists: dict[Any, Any], remaining: str) -> None:
    """The keys cpu and memory mean requests.cpu and requests.memory."""
    (finding,) = findings_of(CHECK, make_cluster(deployment(), nodes=[node("n1")], lists=lists))
    assert finding.cause.endswith(f"the quota has {remaining} left.")


def test_container_without_a_limit_that_the_quota_counts_is_an_error() -> None:
    """Admission refuses containers without the limits or requests that a quota counts."""
    snapshot = make_cluster(
        deployment(), nodes=[node("n1")], lists=quota({}, limits_cpu="4", requests_memory="4Gi")
    )
    assert error_causes(CHECK, snapshot) == [
        "Container web has no limits of cpu, which the namespace's quota counts: its pods are refused."
    ]


def test_container_outside_the_limit_range_is_an_error() -> None:
    """Admission refuses limits above the maximum and requests below the minimum."""
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


def pool_node(name: str, cpu: str = "1000m") -> dict[str, Any]:
    """Returns a node of a pool that grows by itself."""
    pool_member = node(name, cpu)
    pool_member["metadata"]["labels"][POOL_LABEL] = "default"
    return pool_member


def test_missing_nodes_that_the_pool_may_add_are_a_warning() -> None:
    """New nodes run the DaemonSet pods too, and the pool grows only up to its limit."""
    grows = make_config(preflight=GROWING)
    daemon = pod("agent", "n1", "100m", namespace="kube-system", owner="DaemonSet")
    nodes, pods = [pool_node("n1")], [daemon, pod("other", "n1", "800m")]
    (finding,) = findings_of(
        CHECK, make_cluster(deployment("web", "900m"), nodes=nodes, pods=pods, config=grows)
    )
    assert (finding.severity.value, finding.cause) == (
        "warning",
        "web needs 900m, the best node (n1) has 100m: the autoscaler must add a node, which takes minutes.",
    )
    assert (
        len(
            error_causes(CHECK, make_cluster(deployment("web", "950m"), nodes=nodes, pods=pods, config=grows))
        )
        == 1
    )


def test_hook_that_fits_on_another_node_of_the_pool_waits_for_it() -> None:
    """The engine waits for nodes while hooks run too, so preflight only warns."""
    snapshot = make_cluster(
        deployment("migrate", "900m", kind="Job", hook="pre-upgrade", spec={}),
        nodes=[pool_node("n1")],
        pods=[pod("other", "n1", "900m")],
        config=make_config(preflight=GROWING),
    )
    (finding,) = findings_of(CHECK, snapshot)
    assert (finding.severity.value, finding.subject) == ("warning", "Job/migrate")
    assert "the autoscaler must add a node" in finding.cause


LOW = {"metadata": {"name": "low"}, "value": -11}


def test_no_node_is_added_for_pods_of_a_very_low_priority() -> None:
    """The cluster autoscaler ignores pods below its cutoff, so what fits only on a new node never runs."""
    grows = {"config": make_config(preflight=GROWING), "lists": {PRIORITY_CLASSES: [LOW]}}
    nodes, pods = [pool_node("n1")], [pod("other", "n1", "600m")]
    low = deployment("batch", "500m", priorityClassName="low")
    cause = (
        "batch needs 500m, the best node (n1) has 400m, and the autoscaler adds no node for pods whose "
        "priority (-11) is below -10."
    )
    assert error_causes(CHECK, make_cluster(low, nodes=nodes, pods=pods, **grows)) == [cause]
    web = deployment("web", "450m")
    findings = findings_of(CHECK, make_cluster(low, web, nodes=nodes, pods=pods, **grows))
    assert [(finding.severity.value, finding.subject) for finding in findings] == [
        ("warning", "Deployment/web")
    ]


def test_autoscalers_of_a_very_low_priority_get_no_nodes_either() -> None:
    """Replicas up to maxReplicas must fit on the nodes that exist."""
    batch = deployment("batch", "300m", priorityClassName="low")
    del batch["spec"]["replicas"]
    snapshot = make_cluster(
        batch,
        autoscaler("batch", 2, 6),
        nodes=[pool_node("n1")],
        config=make_config(preflight=GROWING),
        lists={PRIORITY_CLASSES: [LOW]},
    )
    (finding,) = findings_of(CHECK, snapshot)
    assert "3 of them fit nowhere (batch 3)" in finding.cause


def test_nodes_outside_a_pool_are_not_added() -> None:
    """The cluster grows only if its nodes have the pool's label."""
    nodes, pods = [node("n1", "1000m")], [pod("other", "n1", "900m")]
    snapshot = make_cluster(
        deployment("web", "900m"), nodes=nodes, pods=pods, config=make_config(preflight=GROWING)
    )
    assert len(error_causes(CHECK, snapshot)) == 1


def autoscaler(name: str, least: int, most: int) -> dict[str, Any]:
    """Returns a HorizontalPodAutoscaler of a Deployment."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"scaleTargetRef": target, "minReplicas": least, "maxReplicas": most}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": spec,
    }


def test_autoscalers_that_cannot_reach_max_replicas_are_a_warning() -> None:
    """Replicas up to maxReplicas must fit later, on nodes that the pool may add too."""
    web = deployment("web", "300m")
    del web["spec"]["replicas"]
    other = autoscaler("api", 1, 9)
    nodes = [node("n1", "1000m")]
    (finding,) = findings_of(CHECK, make_cluster(web, autoscaler("web", 2, 6), other, nodes=nodes))
    assert (finding.severity.value, finding.cause) == (
        "warning",
        "At maxReplicas the autoscalers want 4 more pods, and 3 of them fit nowhere (web 3).",
    )
    snapshot = make_cluster(
        web, autoscaler("web", 2, 6), nodes=[pool_node("n1")], config=make_config(preflight=GROWING)
    )
    assert summaries_of(CHECK, snapshot) == []


def test_replicas_missing_in_the_chart_are_the_live_ones() -> None:
    """Without rendered replicas the live number counts; without a live object it is one."""
    web = deployment("web", "300m")
    del web["spec"]["replicas"]
    pods = [pod("web", "n1", "300m")] * 3
    snapshot = make_cluster(web, nodes=[node("n1", "1000m")], pods=pods)
    snapshot.live.lists[snapshot.manifest.objects[0].resource][0]["spec"]["replicas"] = 3
    assert len(error_causes(CHECK, snapshot)) == 1
    assert summaries_of(CHECK, make_cluster(web, nodes=[node("n1", "300m")])) == []


def test_rollout_that_fits_only_when_packed_is_a_warning() -> None:
    """The default scheduler spreads pods, and then the last large pod may fit nowhere."""
    nodes, pods = [node("n1", "1000m"), node("n2", "1000m")], [pod("other", "n2", "400m")]
    snapshot = make_cluster(
        deployment("a", "600m"), deployment("b", "500m", replicas=2), nodes=nodes, pods=pods
    )
    (finding,) = findings_of(CHECK, snapshot)
    assert (finding.severity.value, finding.subject) == ("warning", "Deployment/b")
    assert "only if the scheduler packs the nodes tightly" in finding.cause


def test_rollout_that_fits_when_spread_is_no_finding() -> None:
    """A rollout that the default scheduler can finish needs no packing."""
    nodes = [node("n1", "500m"), node("n2", "500m")]
    pods = [pod("other", "n2", "100m")]
    snapshot = make_cluster(
        deployment("a", "300m"), deployment("b", "200m", replicas=3), nodes=nodes, pods=pods
    )
    assert summaries_of(CHECK, snapshot) == []


def test_cluster_without_nodes_is_an_error() -> None:
    """Without nodes no pod can run."""
    assert error_causes(CHECK, make_cluster(deployment(), nodes=[])) == ["The cluster has no nodes."]


def test_table_shows_every_node_now_and_at_the_peak() -> None:
    """The table has the requests on each node now and at the peak of the release."""
    snapshot = make_cluster(
        deployment("web", "300m"),
        nodes=[node("n1", "1000m", "1Gi"), node("n2", "0", "0", unschedulable=True)],
        pods=[pod("web", "n1", "300m")],
    )
    table = node_table(snapshot)
    assert table.title == "Requests on the nodes, rolling 0.1.0 in staging"
    assert table.rows == (
        ("n1", "1000m", "300m", "600m (60 %)", "1024Mi", "64Mi", "128Mi (12 %)"),
        ("n2 (cordoned)", "0m", "0m", "0m ", "0Mi", "0Mi", "0Mi "),
    )


def test_yaml_of_test_objects_survives_a_round_trip() -> None:
    """The objects of these tests are the same after they are written and parsed."""
    assert yaml.safe_load(yaml.safe_dump(deployment())) == deployment()
