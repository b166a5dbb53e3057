"""The bootstrap on a real cluster that has some components already: twice, with certificates for both hosts.

What the cluster brings is adopted: ingress, cert-manager, metrics-server, Dapr, and the kinds of Prometheus.
Loki and Alloy are left out, because no image of either is to be had there. So that a chart is installed for
real, the configuration has one more component, from a mirror that the test fills: a Redis that nobody uses.
"""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from kubernetes import client, config

from . import running_cluster
from .conftest import ROOT

DOMAIN = "todo.box.test"  # a host that the certificate authority can reach
HOSTS = {"staging": f"staging.{DOMAIN}", "production": DOMAIN}
CONTEXT = "box"
CERTIFICATE_SECONDS = 120
PROBE = "bootstrap-probe"
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: probe, labels: {todo-cluster/component: bootstrap-probe}, namespace: bootstrap-probe}
spec:
  replicas: 1
  selector: {matchLabels: {app: probe}}
  template:
    metadata: {labels: {app: probe}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: redis
          image: redis:7-alpine
          args: [redis-server, --protected-mode, "no", --save, ""]
          readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}
          resources: {requests: {cpu: 10m, memory: 16Mi}}
"""
# Everything that a bootstrap may write. Other controllers write none of these by themselves.
KINDS = (
    "namespaces", "secrets", "serviceaccounts", "limitranges", "priorityclasses", "clusterissuers",
    "certificates", "customresourcedefinitions", "roles", "rolebindings", "clusterroles",
    "clusterrolebindings",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where the bootstrap runs: the cluster's environment, and the overlays of both configurations."""

    environ: dict[str, str]
    overlays: tuple[str, ...]

    def inv(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a task of this repository."""
        command = [sys.executable, "-m", "invoke", *arguments, *self.overlays]
        return subprocess.run(
            command, cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False, timeout=600
        )

    def kubectl(self, *arguments: str) -> str:
        """Runs kubectl as administrator and returns what it prints."""
        done = subprocess.run(
            ["kubectl", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            pytest.fail(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout


def present(api_version: str, kind: str, name: str, namespace: str = "") -> dict[str, str]:
    """Returns an object that shows that a component is there."""
    return {"api_version": api_version, "kind": kind, "name": name, "namespace": namespace}


def adopted() -> dict[str, Any]:
    """Returns what the cluster brings, and what it cannot have."""
    apps, definitions = "apps/v1", ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    return {
        "ingress-nginx": {
            "present": [
                present("networking.k8s.io/v1", "IngressClass", "nginx"),
                present(apps, "Deployment", "traefik", "ingress-nginx"),
            ]
        },
        "cert-manager": {"present": [present(apps, "Deployment", "cert-manager", "cert-manager")]},
        "metrics-server": {"present": [present(apps, "Deployment", "metrics-server", "kube-system")]},
        "dapr": {
            "present": [
                *(
                    present(apps, "Deployment", f"dapr-{name}", "dapr-system")
                    for name in ("operator", "sentry", "sidecar-injector")
                ),
                present(*definitions, "components.dapr.io"),
            ]
        },
        "monitoring": {"present": [present(*definitions, "servicemonitors.monitoring.coreos.com")]},
        "loki": {"enabled": False},
        "alloy": {"enabled": False},
    }


@pytest.fixture(scope="module")
def place(
    cluster: running_cluster.RunningCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """The running cluster with a certificate authority, and overlays that describe it."""
    folder = tmp_path_factory.mktemp("bootstrap")
    mirror = _mirror(folder)
    directory = cluster.env["ACME_DIRECTORY"]
    overlay = {
        "provider": "existing",
        "context": CONTEXT,
        "charts": {"mirror": str(mirror)},
        "components": {
            **adopted(),
            PROBE: {
                "namespace": PROBE,
                "chart": {"name": PROBE, "version": "1.0.0", "repository": "https://charts.invalid"},
                "secrets": {"probe-admin": {"password": "random"}},
                "timeout_seconds": 120,
            },
        },
        "workloads": str(folder / "workloads.yaml"),
        "issuers": {
            "email": "operator@box.test",
            "staging": {"name": "letsencrypt-staging", "server": directory},
            "production": {"name": "letsencrypt-prod", "server": directory},
            "ca_file": cluster.env["ACME_CA_FILE"],
        },
    }
    (folder / "workloads.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    (folder / "cluster.yaml").write_text(yaml.safe_dump(overlay, sort_keys=False), encoding="utf-8")
    small = str(Path(__file__).with_name("values-small.yaml"))
    base = yaml.safe_load((ROOT / "release.yaml").read_text(encoding="utf-8"))["environments"]
    environments = {
        name: {"context": CONTEXT, "values": [*settings["values"], small]} for name, settings in base.items()
    }
    release = {"variables": {"domain": DOMAIN}, "environments": environments}
    (folder / "release.yaml").write_text(yaml.safe_dump(release), encoding="utf-8")
    found = Place(
        {**cluster.environ(), "PYTHONUNBUFFERED": "1"},
        (f"--cluster-config={folder / 'cluster.yaml'}", f"--config={folder / 'release.yaml'}"),
    )
    _clean(found)
    yield found
    if "KEEP" not in os.environ:
        _clean(found)


def _mirror(folder: Path) -> Path:
    """Returns a folder with the archive of one chart."""
    chart = folder / PROBE
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: {PROBE}\nversion: 1.0.0\n", encoding="utf-8")
    (chart / "templates/deployment.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    mirror = folder / "mirror"
    subprocess.run(["helm", "package", chart, "--destination", mirror], check=True, capture_output=True)
    return mirror


def _clean(place: Place) -> None:
    """Removes what only this test makes; environments stay, because other tests use them."""
    place.kubectl("delete", "namespace", PROBE, "--ignore-not-found", "--wait", "--timeout=60s")
    place.kubectl("delete", "configmap", "cluster-bootstrap", "--namespace=kube-system", "--ignore-not-found")
    place.kubectl("delete", "clusterissuer", "letsencrypt-staging", "letsencrypt-prod", "--ignore-not-found")
    for path in (ROOT / ".release/cluster").glob("*.kubeconfig"):
        if path.stem in HOSTS:
            path.unlink()


def versions(place: Place) -> dict[str, str]:
    """Returns the resource version of every object that a bootstrap may write."""
    listed = json.loads(place.kubectl("get", ",".join(KINDS), "--all-namespaces", "--output=json"))
    return {
        "/".join((item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"])): str(
            item["metadata"]["resourceVersion"]
        )
        for item in listed["items"]
    }


@pytest.fixture(scope="module")
def first(place: Place) -> subprocess.CompletedProcess[str]:
    """The first run."""
    return place.inv("bootstrap", "--yes")


def test_first_run_adopts_installs_and_proves_certificates(
    first: subprocess.CompletedProcess[str], record_property: Callable[[str, object], None]
) -> None:
    """The cluster's components are adopted, the mirror's chart runs, both trial certificates were issued."""
    assert first.returncode == 0, first.stdout + first.stderr
    assert "✓ dapr of the cluster" in first.stdout
    assert f"✓ chart {PROBE} 1.0.0 in {PROBE}" in first.stdout
    assert "✓ trial certificate of letsencrypt-staging for production" in first.stdout
    assert first.stdout.index("trial certificate") < first.stdout.index("✓ ClusterIssuer letsencrypt-prod")
    table = first.stdout[first.stdout.index("Requests on") :].split("\n✓")[0]
    assert "at rest" in table
    record_property("sizes", table)


def test_second_run_writes_nothing(
    place: Place,
    first: subprocess.CompletedProcess[str],
    record_property: Callable[[str, object], None],
) -> None:
    """After the second run every object has the version that it had before, and it says so."""
    before = versions(place)
    assert len(before) > 50
    started = time.monotonic()
    second = place.inv("bootstrap", "--yes")
    record_property("second run", f"{time.monotonic() - started:.1f} s")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "nothing was written" in second.stdout
    assert versions(place) == before


@pytest.mark.parametrize("environment", list(HOSTS))
def test_certificate_is_issued_for_the_host(
    place: Place,
    first: subprocess.CompletedProcess[str],
    environment: str,
    record_property: Callable[[str, object], None],
) -> None:
    """The production issuer issues for the environment's host, through the ingress."""
    config.load_kube_config(place.environ["KUBECONFIG"])
    custom, core = client.CustomObjectsApi(), client.CoreV1Api()
    coordinates = ("cert-manager.io", "v1", environment, "certificates")
    issuer = {"kind": "ClusterIssuer", "name": "letsencrypt-prod"}
    specification = {"secretName": PROBE, "dnsNames": [HOSTS[environment]], "issuerRef": issuer}
    body = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": PROBE}}
    started = time.monotonic()
    custom.create_namespaced_custom_object(*coordinates, {**body, "spec": specification})
    try:
        place.kubectl(
            "wait", "certificate", PROBE, f"--namespace={environment}", "--for=condition=Ready",
            f"--timeout={CERTIFICATE_SECONDS}s",
        )  # fmt: skip
        record_property("issued in", f"{time.monotonic() - started:.0f} s")
        encoded = core.read_namespaced_secret(PROBE, environment).data["tls.crt"]
        certificate = x509.load_pem_x509_certificates(base64.b64decode(encoded))[0]
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [HOSTS[environment]]
        assert "Pebble" in certificate.issuer.rfc4514_string()
    finally:
        custom.delete_namespaced_custom_object(*coordinates, PROBE)
        place.kubectl("delete", "secret", PROBE, f"--namespace={environment}", "--ignore-not-found")


@pytest.mark.parametrize("environment", list(HOSTS))
def test_account_of_an_environment_may_release_only_there(
    place: Place, first: subprocess.CompletedProcess[str], environment: str
) -> None:
    """The kubeconfig that was written has the rights of its environment, and none in the other one."""
    path = ROOT / f".release/cluster/{environment}.kubeconfig"
    [other] = set(HOSTS) - {environment}

    def may(namespace: str) -> str:
        command = ["kubectl", "auth", "can-i", "create", "deployments", f"--namespace={namespace}"]
        done = subprocess.run(
            [*command, f"--kubeconfig={path}"], env=place.environ, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    assert (may(environment), may(other)) == ("yes", "no")


def test_plan_of_a_complete_cluster_has_nothing_to_do(
    place: Place, first: subprocess.CompletedProcess[str]
) -> None:
    """The plan names what comes from where, and finds every step done."""
    planned = place.inv("bootstrap", "--plan")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "Nothing to do, nothing was written." in planned.stdout
