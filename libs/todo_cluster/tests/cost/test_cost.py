"""`inv cost`: the bill, the runway, and alternatives that are priced by the nodes that they need."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from todo_cluster.command import ClusterOptions
from todo_cluster.config.costs import CostSettings
from todo_cluster.cost import bill, run
from todo_cluster.cost.options import nodes_needed
from todo_cluster.sizing.sizes import Part, Workload
from todo_release.preflight.scheduling.resources import NodeCapacity, PodRequirements, ResourceAmount

from ..digitalocean_api import TOKEN, AccountDouble, serve

ROOT = Path(__file__).parents[4]
NODE = NodeCapacity(name="node", allocatable=ResourceAmount(1000, 1000))
COSTS = CostSettings.model_validate(
    {
        "checked_on": "2026-11-28",
        "source": "a page",
        "nodes": {"small": 24},
        "load_balancer": 12,
        "ha_control_plane": 40,
        "volume_gib": 0.1,
        "others": {"broker": 0},
    }
)
Cost = Callable[..., tuple[int, str]]


@pytest.fixture
def cost(capsys: pytest.CaptureFixture[str]) -> Cost:
    """Returns a function that prices this repository's cluster and returns exit code and output."""

    def call(*files: Path, credit: str = "", environ: dict[str, str] | None = None) -> tuple[int, str]:
        options = ClusterOptions(cluster_files=files, output="lines", environ=environ or {})
        code = run.cost(ROOT, options, credit=credit)
        return code, capsys.readouterr().out

    return call


def workload(cpu: int, replicas: int) -> Workload:
    """Returns equal pods that can be replaced one at a time."""
    pod = PodRequirements(owner="Deployment/web", namespace="shop", request=ResourceAmount(cpu, 10))
    return Workload("Deployment/web", pod, replicas, surge=1)


def test_bill_adds_up() -> None:
    """Nodes, load balancer, control plane and volumes are priced; what is free is listed with 0."""
    lines = bill.bill(bill.Bought({"small": 3}, 1, has_ha=True, volumes={"logs": 20}), COSTS, COSTS.nodes)
    assert [line.monthly for line in lines] == [72, 40, 12, 2, 0]
    assert bill.total(lines) == 126


class LiveCluster:
    """A stand-in for the client of a cluster: lists by their paths."""

    def items(self, path: str) -> list[dict[str, Any]]:
        """Returns the objects of one list."""
        lists: dict[str, list[dict[str, Any]]] = {
            "api/v1/nodes": [{"metadata": {"labels": {bill.INSTANCE_TYPE: "small"}}}] * 4,
            "api/v1/services": [{"spec": {"type": "LoadBalancer"}}, {"spec": {"type": "ClusterIP"}}],
            "api/v1/persistentvolumeclaims": [
                {
                    "metadata": {"namespace": "monitoring", "name": "logs"},
                    "spec": {"resources": {"requests": {"storage": "20Gi"}}},
                }
            ],
        }
        return lists[path]


def test_live_cluster_is_billed_for_what_it_has() -> None:
    """Nodes are counted by size, Services of type LoadBalancer and claims for volumes are counted too."""
    bought = bill.live(LiveCluster(), has_ha=False)  # type: ignore[arg-type]  # only reads lists
    assert bought == bill.Bought({"small": 4}, 1, has_ha=False, volumes={"monitoring/logs": 20})
    assert bill.total(bill.bill(bought, COSTS, COSTS.nodes)) == 110


def test_runway_is_in_days() -> None:
    """A credit lasts as long as its share of a month's bill; nothing to pay lasts for ever."""
    assert bill.runway_days(200, 100) == pytest.approx(60.8, abs=0.1)
    assert bill.runway_days(200, 0) is None


def test_nodes_needed_count_the_pod_that_is_replaced() -> None:
    """Three pods of 300m fill a node at rest; the fourth, while one is replaced, needs a second node."""
    assert nodes_needed(NODE, [Part("web", (workload(300, 2),))]) == 1
    assert nodes_needed(NODE, [Part("web", (workload(300, 3),))]) == 2
    assert nodes_needed(NODE, [Part("web", (workload(1100, 1),))]) == 0


def test_table_is_the_plans_with_the_volume_of_grafana(cost: Cost) -> None:
    """The configured cluster costs the plan's $88.50 and one GiB for Grafana; the credit lasts 69 days."""
    code, output = cost()
    assert code == 0, output
    assert "total" in output
    assert "$88.60" in output
    assert "A credit of $200 lasts 69 days." in output
    assert "compared on 2026-11-28" in output


def test_alternatives_say_when_no_node_goes(cost: Cost) -> None:
    """Staging asleep frees room, but three nodes are still needed, so it alone saves nothing."""
    _, output = cost(credit="50")
    name = "staging asleep for 108 of 168 hours  "
    [asleep] = [line for line in output.splitlines() if line.strip().startswith(name)]
    assert "$0.00" in asleep
    assert "frees room, but no node" in asleep
    assert "A credit of $50 lasts 17 days." in output


def test_token_prices_nodes_by_the_api(cost: Cost, tmp_path: Path) -> None:
    """With a token the price of the node's size is asked for, and the output says so."""
    with serve(AccountDouble()) as account:
        overlay = tmp_path / "overlay.yaml"
        overlay.write_text(yaml.safe_dump({"digitalocean": {"api": account.url}}))
        code, output = cost(overlay, environ={"DIGITALOCEAN_TOKEN": TOKEN})
    assert code == 0, output
    assert "$26.00 each" in output
    assert f"of nodes from {account.url} now" in output


def test_size_without_a_price_is_an_error(cost: Cost, tmp_path: Path) -> None:
    """A price is never guessed."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({"digitalocean": {"pool": {"size": "s-8vcpu-16gb"}}}))
    code, output = cost(overlay)
    assert code == 2
    assert "The size of node 's-8vcpu-16gb' has no price" in output


def test_credit_that_is_no_number_is_an_error(cost: Cost) -> None:
    """The error says what to write."""
    code, output = cost(credit="much")
    assert code == 2
    assert "--credit much is not a number" in output


def test_volumes_are_those_of_the_values() -> None:
    """cluster.yaml has the size of each volume that the components' values claim."""
    cluster = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    folder = ROOT / "k8s/cluster-bootstrap/values"
    stack = yaml.safe_load((folder / "kube-prometheus-stack.yaml").read_text())
    loki = yaml.safe_load((folder / "loki.yaml").read_text())

    def claimed(storage: dict[str, dict[str, dict[str, dict[str, dict[str, str]]]]]) -> str:
        return storage["volumeClaimTemplate"]["spec"]["resources"]["requests"]["storage"]

    assert {name: f"{gib}Gi" for name, gib in cluster["costs"]["volumes"].items()} == {
        "prometheus": claimed(stack["prometheus"]["prometheusSpec"]["storageSpec"]),
        "alertmanager": claimed(stack["alertmanager"]["alertmanagerSpec"]["storage"]),
        "loki": loki["singleBinary"]["persistence"]["size"],
        "grafana": stack["grafana"]["persistence"]["size"],
    }
