"""The cluster that the tests share: three small nodes, of which the provider's own pods take a part."""

from todo_embedded.controlplane.nodes import daemon_set, deployment, node_pool

NODES = node_pool(
    "pool",
    count=3,
    capacity={"cpu": "2", "memory": "4009092Ki", "pods": "110"},
    allocatable={"cpu": "1900m", "memory": "3110Mi"},
)
WORKLOADS = (
    daemon_set("network", {"cpu": "300m", "memory": "300Mi"}),
    daemon_set("agent", {"cpu": "202m", "memory": "155Mi"}),
    deployment("dns", {"cpu": "100m", "memory": "150M"}, replicas=2),
)
