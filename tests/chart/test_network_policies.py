"""Network policies, by simulating them: which connections between two pods are allowed or refused."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SERVICES = {"frontend": 3000, "backend": 8000, "mcp": 8001, "notification": 8002, "sse-gateway": 8003}
SIDECARS = sorted(set(SERVICES) - {"frontend"})
DAPRD_METRICS, DAPRD_INTERNAL, SOLVER = 9090, 50002, 8089
PRIVATE = ("10.1.2.3", "172.20.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1")
PUBLIC = "203.0.113.7"


@dataclass(frozen=True)
class Endpoint:
    """A pod, by its namespace and labels, or a server outside, by its address."""

    name: str
    namespace: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    address: str = ""


def pod(name: str, namespace: str, **labels: str) -> Endpoint:
    """Returns a pod; `k8s_app` stands for the label k8s-app."""
    return Endpoint(name, namespace, tuple((key.replace("_", "-"), value) for key, value in labels.items()))


def server(address: str) -> Endpoint:
    """Returns a server outside of the cluster."""
    return Endpoint(address, address=address)


OUTSIDE = {
    "ingress": Endpoint("ingress", "ingress-nginx", (("app.kubernetes.io/name", "ingress-nginx"),)),
    "prometheus": Endpoint("prometheus", "monitoring", (("app.kubernetes.io/name", "prometheus"),)),
    "dns": pod("dns", "kube-system", k8s_app="kube-dns"),
    "sentry": pod("sentry", "dapr-system", app="dapr-sentry"),
    "operator": pod("operator", "dapr-system", app="dapr-operator"),
    "grafana": Endpoint("grafana", "monitoring", (("app.kubernetes.io/name", "grafana"),)),
}


class Network:
    """The policies of one rendering, applied as the NetworkPolicy API says."""

    def __init__(self, rendered: Any, namespace: str) -> None:
        """Reads the policies and the pods of the workloads."""
        self.namespace = namespace
        self.policies = [item for item in rendered.objects if item["kind"] == "NetworkPolicy"]
        self.pods = {
            name.removeprefix("todo-app-staging-").removeprefix("todo-app-"): Endpoint(
                name, namespace, tuple(template["metadata"]["labels"].items())
            )
            for name, template in rendered.pod_templates()
        }

    def allows(self, source: Endpoint, target: Endpoint, port: int, protocol: str = "TCP") -> bool:
        """Returns whether the source may send and the target may receive."""
        return self._side(source, target, "egress", port, protocol) and self._side(
            target, source, "ingress", port, protocol
        )

    def _side(self, own: Endpoint, other: Endpoint, side: str, port: int, protocol: str) -> bool:
        if own.namespace != self.namespace:
            return True
        selecting = [
            item["spec"]
            for item in self.policies
            if side.capitalize() in item["spec"]["policyTypes"]
            and selects(item["spec"]["podSelector"], own.labels)
        ]
        peers = {"egress": "to", "ingress": "from"}[side]
        return not selecting or any(
            any(entry["port"] == port and entry["protocol"] == protocol for entry in rule["ports"])
            and any(self._is_peer(peer, other) for peer in rule[peers])
            for spec in selecting
            for rule in spec.get(side) or ()
        )

    def _is_peer(self, peer: dict[str, Any], other: Endpoint) -> bool:
        if block := peer.get("ipBlock"):
            return bool(other.address) and in_block(other.address, block)
        if other.address or not selects(peer["podSelector"], other.labels):
            return False
        namespace = peer.get("namespaceSelector", {"matchLabels": {NAME_LABEL: self.namespace}})
        return selects(namespace, ((NAME_LABEL, other.namespace),))


NAME_LABEL = "kubernetes.io/metadata.name"


def in_block(address: str, block: dict[str, Any]) -> bool:
    """Returns whether an address is in a block and in none of its exceptions."""
    inside = [ip_address(address) in ip_network(item) for item in (block["cidr"], *block.get("except", ()))]
    return inside[0] and not any(inside[1:])


def selects(selector: dict[str, Any], labels: tuple[tuple[str, str], ...]) -> bool:
    """Returns whether a label selector matches; `In` is the only expression of the chart."""
    found = dict(labels)
    for expression in selector.get("matchExpressions", ()):
        assert expression["operator"] == "In"
        if found.get(expression["key"]) not in expression["values"]:
            return False
    return selector.get("matchLabels", {}).items() <= found.items()


@pytest.fixture
def production(render):
    """The network of production."""
    return Network(render("production"), "production")


def test_exactly_these_connections_between_pods_are_allowed(production):
    """Every pair of pods and every port of the house is tried, and only what is listed gets through."""
    pods = {**{name: production.pods[name] for name in SERVICES}, **OUTSIDE}
    ports = (*SERVICES.values(), DAPRD_METRICS, DAPRD_INTERNAL, 6379, 5432, 3500, 50001, 6500)
    allowed = {
        (source, target, port)
        for source in pods
        for target in pods
        if {source, target} & SERVICES.keys()
        for port in ports
        if production.allows(pods[source], pods[target], port)
    }
    # What namespaces without policies accept is their own business: only these ports of Dapr are listed.
    expected = {("ingress", name, port) for name, port in SERVICES.items()}
    expected |= {("prometheus", name, port) for name, port in SERVICES.items()}
    expected |= {("prometheus", name, DAPRD_METRICS) for name in SIDECARS}
    expected |= {(name, "frontend", 3000) for name in SIDECARS}
    expected |= {("mcp", "backend", DAPRD_INTERNAL)}
    expected |= {(name, "sentry", 50001) for name in SIDECARS}
    expected |= {(name, "operator", 6500) for name in SIDECARS}
    assert allowed == expected


@pytest.mark.parametrize("workload", [*SERVICES, "migrate"])
def test_every_pod_finds_names_and_is_isolated_in_both_directions(production, workload):
    """DNS is in the policy of each pod, because the first policy that selects a pod refuses all else."""
    own = production.pods[workload]
    assert production.allows(own, OUTSIDE["dns"], 53, "UDP")
    assert production.allows(own, OUTSIDE["dns"], 53)
    policies = [
        item["spec"] for item in production.policies if selects(item["spec"]["podSelector"], own.labels)
    ]
    assert [spec["policyTypes"] for spec in policies] == [["Ingress", "Egress"]] * 2


@pytest.mark.parametrize("name", SERVICES)
def test_pod_of_the_other_environment_reaches_nothing(render, production, name):
    """A pod of staging has the same labels but another namespace, and both sides refuse it."""
    staging = Network(render("staging"), "staging")
    for source in staging.pods.values():
        for port in (SERVICES[name], DAPRD_METRICS, DAPRD_INTERNAL):
            assert not production.allows(source, production.pods[name], port)
            assert not staging.allows(source, production.pods[name], port)


def test_database_and_broker_are_reached_by_their_users_only(production):
    """A public address on the database's or the broker's port, and no private network, is reachable."""
    for port, users in (
        (5432, {"frontend", "backend", "notification"}),
        (9092, {"backend", "notification", "sse-gateway"}),
    ):
        migrations = {"migrate"} if port == 5432 else set()
        reaching = {
            name for name, own in production.pods.items() if production.allows(own, server(PUBLIC), port)
        }
        assert reaching == users | migrations
        for address in PRIVATE:
            assert not any(
                production.allows(own, server(address), port) for own in production.pods.values()
            ), address
    assert not any(production.allows(own, server(PUBLIC), 443) for own in production.pods.values())


def test_private_servers_are_reachable_when_they_are_listed(render):
    """With addresses in the values only these are reachable, on the ports of the values."""
    listed = {
        "database": {"cidrs": ["10.87.0.1/32"], "ports": [15432]},
        "broker": {"cidrs": ["10.87.0.2/32", "10.87.0.3/32"], "ports": [19094]},
    }
    network = Network(render("production", {"networkPolicies": listed}), "production")
    backend = network.pods["backend"]
    assert network.allows(backend, server("10.87.0.1"), 15432)
    assert network.allows(backend, server("10.87.0.3"), 19094)
    assert not network.allows(backend, server("10.87.0.2"), 15432)
    assert not network.allows(backend, server(PUBLIC), 5432)
    assert network.allows(network.pods["migrate"], server("10.87.0.1"), 15432)


def test_redis_is_reached_by_the_users_of_the_broker_only(render):
    """The in-cluster broker, which has no password, accepts its users and sends nothing."""
    values = {"networkPolicies": {"enabled": True}, "pubsub": {"kind": "redis"}}
    network = Network(render("staging", values), "staging")
    redis = network.pods["redis"]
    reaching = {name for name, own in network.pods.items() if network.allows(own, redis, 6379)}
    assert reaching == {"backend", "notification", "sse-gateway"}
    assert not network.allows(redis, OUTSIDE["dns"], 53, "UDP")
    assert not network.allows(network.pods["backend"], server(PUBLIC), 9092)


def test_redis_as_state_store_is_reached_by_the_users_of_state_only(render):
    """Events still go to Kafka."""
    values = {"networkPolicies": {"enabled": True}, "stateStore": {"enabled": True}}
    network = Network(render("staging", values), "staging")
    redis = network.pods["redis"]
    assert {name for name, own in network.pods.items() if network.allows(own, redis, 6379)} == {"backend"}


def test_solver_of_a_challenge_is_reached_by_the_ingress_controller(production):
    """cert-manager's short-lived pod answers the authority, and is isolated otherwise."""
    solver = Endpoint("solver", "production", (("acme.cert-manager.io/http01-solver", "true"),))
    assert production.allows(OUTSIDE["ingress"], solver, SOLVER)
    assert not production.allows(OUTSIDE["grafana"], solver, SOLVER)
    assert not production.allows(solver, production.pods["backend"], 8000)


def test_unknown_pod_of_the_namespace_is_isolated(production):
    """A pod that nobody listed, such as a shell started by hand, reaches nothing and is not reached."""
    shell = pod("shell", "production", run="shell")
    assert not production.allows(shell, production.pods["backend"], 8000)
    assert not production.allows(shell, OUTSIDE["dns"], 53, "UDP")
    assert not production.allows(production.pods["backend"], shell, 8000)


def test_scraping_is_allowed_only_where_there_are_monitors(render):
    """Without monitoring in an environment its Prometheus has nothing to ask."""
    network = Network(render("production", {"monitoring": {"enabled": False}}), "production")
    assert not network.allows(OUTSIDE["prometheus"], network.pods["backend"], 8000)


def test_policy_of_migrations_is_in_place_before_them(render):
    """A hook of lower weight: the first migration of a moved database must reach the new address."""
    rendered = render("production")
    annotations = rendered.one("NetworkPolicy", "-migrate")["metadata"]["annotations"]
    jobs = [job["metadata"]["annotations"] for job in rendered.of_kind("Job")]
    assert {job["helm.sh/hook"] for job in jobs} == {annotations["helm.sh/hook"]}
    weights = [int(job.get("helm.sh/hook-weight", "0")) for job in jobs]
    assert int(annotations["helm.sh/hook-weight"]) < min(weights)


def test_policy_that_refuses_everything_is_applied_last(render):
    """Helm applies policies by name in an upgrade, so that no running pod is cut off before its own."""
    names = sorted(item["metadata"]["name"] for item in render("production").of_kind("NetworkPolicy"))
    assert names[-1] == "todo-app-unlisted-pods"


def test_pods_of_the_values_are_those_that_the_bootstrap_installs(render):
    """The namespaces of controller, Prometheus and Dapr are where the bootstrap puts their charts."""
    components = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))["components"]
    installed = {
        component["chart"]["name"]: component["namespace"]
        for component in components.values()
        if "chart" in component
    }
    values = yaml.safe_load((ROOT / "chart/values.yaml").read_text(encoding="utf-8"))["networkPolicies"]
    assert values["ingressController"]["namespace"] == installed["ingress-nginx"]
    assert values["prometheus"]["namespace"] == installed["kube-prometheus-stack"]
    assert values["dapr"]["namespace"] == installed["dapr"]


def test_control_plane_of_the_values_is_what_the_bootstrap_runs():
    """A sidecar is not ready until it reaches the scheduler, where there is one."""
    dapr = yaml.safe_load((ROOT / "k8s/cluster-bootstrap/values/dapr.yaml").read_text(encoding="utf-8"))
    values = yaml.safe_load((ROOT / "chart/values.yaml").read_text(encoding="utf-8"))["networkPolicies"]
    optional = {
        "dapr-scheduler-server": dapr["global"]["scheduler"]["enabled"],
        "dapr-placement-server": dapr["global"]["actors"]["enabled"],
    }
    listed = {item["app"] for item in values["dapr"]["controlPlane"]}
    assert listed == {"dapr-operator", "dapr-sentry", *(app for app, runs in optional.items() if runs)}
