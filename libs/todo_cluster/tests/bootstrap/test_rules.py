"""The rules that a configuration must keep, each with what breaks it."""

import pytest
import yaml

from todo_cluster.bootstrap import rules
from todo_release.adapters.kubernetes.manifest import RenderedManifest, parse_manifest

OPERATOR = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: operator}
spec:
  template:
    spec:
      containers:
        - name: operator
          args: [--config-reloader-cpu-request=CPU, --config-reloader-memory-request=24Mi]
          resources: {requests: {cpu: 10m, memory: 10Mi}}
---
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: metrics}
spec: {resources: RESOURCES}
"""
POD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      affinity: AFFINITY
      initContainers: [{name: prepare}]
      containers: [{name: web, resources: {requests: REQUESTS}}]
"""
SPREAD = "{podAntiAffinity: {KIND: TERM}}"


def rendered(text: str, **values: str) -> RenderedManifest:
    """Returns the objects of a text with values filled in."""
    for name, value in values.items():
        text = text.replace(name, value)
    return parse_manifest(text)


@pytest.mark.parametrize(("value", "count"), [(-10, 0), (-11, 1), (-100, 1), (0, 0)])
def test_priority_below_the_cutoff_of_the_autoscaler_is_found(value: int, count: int) -> None:
    """The default cutoff is -10; a pod of exactly that priority still adds a node."""
    item = yaml.safe_load(f"{{kind: PriorityClass, metadata: {{name: low}}, value: {value}}}")
    assert len(list(rules.expendable_priorities([item]))) == count


@pytest.mark.parametrize(
    ("requests", "missing"),
    [
        ("{cpu: 1m, memory: 1Mi}", ""),
        ("{cpu: 1m}", "requests no memory"),
        ("{}", "requests no cpu and no memory"),
    ],
)
def test_container_without_requests_is_found(requests: str, missing: str) -> None:
    """Each missing amount is named; a container that ends before the pod runs needs none."""
    found = list(rules.missing_requests("web", rendered(POD, AFFINITY="{}", REQUESTS=requests)))
    assert [missing in text for text in found] == ([True] if missing else [])


@pytest.mark.parametrize(
    ("cpu", "resources", "message"),
    [
        ("5m", "{requests: {cpu: 1m}}", ""),
        ("0", "{requests: {cpu: 1m}}", "the config-reloader beside Prometheus/metrics requests nothing"),
        ("5m", "{}", "Prometheus/metrics requests nothing"),
    ],
)
def test_pods_of_an_operator_are_looked_at(cpu: str, resources: str, message: str) -> None:
    """What Prometheus' operator makes of its objects is in no manifest, so the objects are read."""
    found = list(rules.missing_requests("stack", rendered(OPERATOR, CPU=cpu, RESOURCES=resources)))
    assert [message in text for text in found] == ([True] if message else [])


@pytest.mark.parametrize("kind", ["requiredDuringScheduling", "preferredDuringScheduling"])
def test_spreading_by_a_label_that_no_node_has_is_found(kind: str) -> None:
    """Dapr's chart spreads by zone, and DigitalOcean's nodes have none: replicas could share a node."""
    term = "{topologyKey: topology.kubernetes.io/zone}"
    terms = f"[{term}]" if kind.startswith("required") else f"[{{weight: 1, podAffinityTerm: {term}}}]"
    affinity = SPREAD.replace("KIND", f"{kind}IgnoredDuringExecution").replace("TERM", terms)
    manifest = rendered(POD, AFFINITY=affinity, REQUESTS="{cpu: 1m, memory: 1Mi}")
    [problem] = rules.unknown_topologies("dapr", manifest, {"topology.kubernetes.io/region"})
    assert "topology.kubernetes.io/zone, which no node has" in problem
    assert list(rules.unknown_topologies("dapr", manifest, {"topology.kubernetes.io/zone"})) == []
