"""What is bought, with its price a month. Pure, except for reading the live cluster."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from todo_cluster.config.costs import CostSettings
from todo_cluster.config.provider import DigitalOceanCluster
from todo_release.adapters.kubernetes.api_resources import NODES, SERVICES, VOLUME_CLAIMS
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.quantities import size_bytes
from todo_release.errors import ConfigError

INSTANCE_TYPE = "node.kubernetes.io/instance-type"
DAYS_OF_A_MONTH = 365 / 12


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill; `monthly` is in dollars."""

    what: str
    size: str
    monthly: float


@dataclass(frozen=True, slots=True)
class Bought:
    """What a cluster consists of, as far as it is billed; volumes in GiB by their names."""

    nodes: Mapping[str, int]
    load_balancers: int
    has_ha: bool
    volumes: Mapping[str, int]


def configured(settings: DigitalOceanCluster, costs: CostSettings) -> Bought:
    """Returns what cluster.yaml asks for: the pool at its smallest, one load balancer, the volumes."""
    return Bought({settings.pool.size: settings.pool.min_nodes}, 1, settings.ha, costs.volumes)


def live(cluster: Cluster, *, has_ha: bool) -> Bought:
    """Returns what a cluster has; only its provider knows whether the control plane is billed."""
    nodes = Counter(
        node["metadata"].get("labels", {}).get(INSTANCE_TYPE, "unknown size")
        for node in cluster.items(NODES.path())
    )
    services = cluster.items(SERVICES.path())
    volumes = {
        f"{claim['metadata']['namespace']}/{claim['metadata']['name']}": math.ceil(
            size_bytes(claim["spec"]["resources"]["requests"]["storage"]) / 2**30
        )
        for claim in cluster.items(VOLUME_CLAIMS.path())
    }
    balancers = sum(service["spec"].get("type") == "LoadBalancer" for service in services)
    return Bought(dict(nodes), balancers, has_ha, volumes)


def bill(bought: Bought, costs: CostSettings, node_prices: Mapping[str, float]) -> list[Line]:
    """Returns the lines of the bill.

    Raises:
        ConfigError: A size of node has no price.
    """
    return list(_lines(bought, costs, node_prices))


def _lines(bought: Bought, costs: CostSettings, node_prices: Mapping[str, float]) -> Iterable[Line]:
    for size, count in bought.nodes.items():
        if size not in node_prices:
            raise ConfigError(
                f"The size of node {size!r} has no price.",
                remedy="Add it under costs.nodes in cluster.yaml, from the page named under costs.source.",
            )
        yield Line(f"nodes, {count} x {size}", _dollars(node_prices[size]), count * node_prices[size])
    if bought.has_ha:
        yield Line("highly available control plane", "", costs.ha_control_plane)
    if bought.load_balancers:
        count = bought.load_balancers
        yield Line(f"load balancers, {count}", _dollars(costs.load_balancer), count * costs.load_balancer)
    for name, gib in bought.volumes.items():
        yield Line(f"volume of {name}", f"{gib} GiB", gib * costs.volume_gib)
    for name, price in costs.others.items():
        yield Line(name, "", price)


def total(lines: Iterable[Line]) -> float:
    """Returns the sum of a bill in dollars a month."""
    return sum(line.monthly for line in lines)


def runway_days(credit: float, monthly: float) -> float | None:
    """Returns how many days a credit lasts; None where nothing is paid."""
    return credit / monthly * DAYS_OF_A_MONTH if monthly else None


def _dollars(amount: float) -> str:
    return f"${amount:.2f} each"
