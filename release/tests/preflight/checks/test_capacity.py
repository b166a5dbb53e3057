"""The release's peak on live nodes: what fits, what does not, and which remedies are offered."""

from typing import Any

import pytest
import yaml

from todo_release.adapters.kubernetes.api_resources import (
    LIMIT_RANGES,
    PRIORITY_CLASSES,
)
from todo_release.preflight.checks.capacity import CHECK
from todo_release.preflight.scheduling.node_table import node_table

from ..snapshots import (
    error_causes,
    findings_of,
    live_object,
    make_manifest,
    severities_of,
    summaries_of,
    workload,
)
from .small_clusters import deployment, make_cluster, node, pod


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
