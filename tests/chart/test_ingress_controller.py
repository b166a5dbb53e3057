"""The ingress controller: whose address the application sees, and that it loses no request when it stops."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FAILED_PROBES_SECONDS = 9  # a cloud's load balancer gives a node up after three failed probes, one every 3 s
IDLE_SECONDS = {"ingress-nginx": 60, "Traefik": 90}  # for which a controller keeps connections to pods


@pytest.fixture(scope="module")
def controller():
    """The values of the controller's own chart."""
    values = ROOT / "k8s/cluster-bootstrap/values/ingress-nginx.yaml"
    return yaml.safe_load(values.read_text(encoding="utf-8"))["controller"]


def test_application_sees_the_address_of_the_client(controller):
    """By default a request that changes nodes has a node's address, and strangers share its sign-ins."""
    assert controller["service"]["externalTrafficPolicy"] == "Local"


def test_controller_serves_until_the_load_balancer_has_noticed(controller):
    """By default nginx ends at once, while the load balancer still sends."""
    assert int(controller["extraArgs"]["shutdown-grace-period"]) >= FAILED_PROBES_SECONDS + 6


def test_controllers_run_on_different_nodes(controller):
    """`Local` sends only to nodes with a controller, so a drain of the only one would take the site down."""
    assert controller["replicaCount"] >= 2
    [spread] = controller["topologySpreadConstraints"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    assert spread["maxSkew"] == 1
    assert spread["whenUnsatisfiable"] == "DoNotSchedule"
    # Otherwise pods of the version before count, and those of the next one may share a node.
    assert spread["matchLabelKeys"] == ["pod-template-hash"]


def test_services_keep_idle_connections_longer_than_every_controller():
    """A controller that sends on a connection that the service closes answers 502, and repeats no POST."""
    server = (ROOT / "libs/todo_kit/src/todo_kit/server.py").read_text(encoding="utf-8")
    dockerfile = (ROOT / "services/frontend/Dockerfile").read_text(encoding="utf-8")
    seconds = int(re.search(r"^KEEP_ALIVE_SECONDS = (\d+)$", server, re.MULTILINE).group(1))
    milliseconds = int(re.search(r"KEEP_ALIVE_TIMEOUT=(\d+)", dockerfile).group(1))
    assert seconds > max(IDLE_SECONDS.values())
    assert milliseconds == seconds * 1000
