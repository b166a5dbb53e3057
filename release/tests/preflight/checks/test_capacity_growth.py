"""What changes about capacity where the cluster adds nodes by itself, and where autoscalers add pods."""

from typing import Any

from todo_release.adapters.kubernetes.api_resources import (
    PRIORITY_CLASSES,
)
from todo_release.preflight.checks.capacity import CHECK

from ..snapshots import (
    error_causes,
    findings_of,
    make_config,
    summaries_of,
)
from .small_clusters import deployment, make_cluster, node, pod

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
