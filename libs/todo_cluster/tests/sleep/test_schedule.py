"""k8s/cluster-bootstrap/staging-sleep.yaml: its script, run with the rights of its account, and its names."""

import base64
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from todo_cluster.application import ApplicationEnvironment
from todo_embedded.controlplane.control_plane import ControlPlane
from todo_release.adapters.kubernetes import sleep as scaling
from todo_release.adapters.kubernetes.client import ApiRefusedError, Cluster
from todo_release.config import loader

from ..sample_application import SampleApplication
from .test_run import hold_lock, replicas

ROOT = Path(__file__).parents[4]
OBJECTS = list(
    yaml.safe_load_all((ROOT / "k8s/cluster-bootstrap/staging-sleep.yaml").read_text(encoding="utf-8"))
)
Scale = Callable[[str], str]


def find(kind: str) -> list[Any]:
    """Returns the objects of a kind."""
    return [each for each in OBJECTS if each["kind"] == kind]


@pytest.fixture
def account(deployed: SampleApplication, tmp_path: Path) -> Path:
    """The folder that a pod of the CronJob would see: its account's token, and the server's authority."""
    admin = deployed.environment().cluster
    namespace, names = deployed.namespaces[0], ["web", "worker", "gone"]
    for each in OBJECTS:
        if each["kind"] in ("CronJob", "ConfigMap"):
            continue
        body = yaml.safe_load(yaml.safe_dump(each))
        if body["metadata"].get("namespace") == "staging":
            body["metadata"]["namespace"] = namespace
        for rule in body.get("rules") or ():
            rule["resourceNames"] = names if rule["resources"] == ["deployments"] else rule["resourceNames"]
        admin.apply(body, namespace, manager="test")
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = admin.create("api/v1/namespaces/operations/serviceaccounts/staging-sleep/token", request)
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "token").write_text(token["status"]["token"])
    kubeconfig = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    cluster = kubeconfig["clusters"][0]["cluster"]
    encoded = cluster.get("certificate-authority-data")
    authority = base64.b64decode(encoded) if encoded else Path(cluster["certificate-authority"]).read_bytes()
    (folder / "ca.crt").write_bytes(authority)
    return folder


@pytest.fixture
def scale(deployed: SampleApplication, plane: ControlPlane, account: Path) -> Scale:
    """Returns a function that runs the script of the ConfigMap and returns what it printed."""
    script = account.parent / "scale.py"
    [config_map] = find("ConfigMap")
    script.write_text(config_map["data"]["scale.py"], encoding="utf-8")
    parts = urlsplit(plane.url)
    server = {"KUBERNETES_SERVICE_HOST": str(parts.hostname), "KUBERNETES_SERVICE_PORT": str(parts.port)}

    def call(action: str) -> str:
        command = [sys.executable, script, action, deployed.namespaces[0], "web", "worker", "gone"]
        environment = {**os.environ, **server, "ACCOUNT": str(account)}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return call


def test_script_scales_as_the_command_does(deployed: SampleApplication, scale: Scale) -> None:
    """What the script put to sleep, a release wakes, because both use the same annotation and manager."""
    assert scale("sleep") == "web: 2 -> 0\nworker: 1 -> 0\n"
    assert scale("sleep") == ""
    assert replicas(deployed) == {"web": 0, "worker": 0, "other": 1}
    live = deployed.read("apis/apps/v1 deployments/web")
    assert live["metadata"]["annotations"][scaling.REMEMBERED] == "2"
    assert scaling.MANAGER in {entry["manager"] for entry in live["metadata"]["managedFields"]}
    assert scale("wake") == "web: 0 -> 2\nworker: 0 -> 1\n"
    assert scale("wake") == ""
    assert replicas(deployed) == {"web": 2, "worker": 1, "other": 1}


def test_script_changes_nothing_during_a_release(deployed: SampleApplication, scale: Scale) -> None:
    """It reads the Lease of the release."""
    hold_lock(deployed, timedelta(seconds=5))
    assert "a release is running" in scale("sleep")
    assert replicas(deployed)["web"] == 2


def test_account_may_do_nothing_else(deployed: SampleApplication, account: Path, tmp_path: Path) -> None:
    """No Secrets, no other Deployments, no other namespace."""
    kubeconfig = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    kubeconfig["users"][0]["user"] = {"token": (account / "token").read_text()}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig))
    cluster, namespace = Cluster.connect("rehearsal", path), deployed.namespaces[0]
    for forbidden in (
        f"api/v1/namespaces/{namespace}/secrets",
        f"apis/apps/v1/namespaces/{namespace}/deployments/other",
        f"apis/apps/v1/namespaces/{deployed.namespaces[1]}/deployments/web",
    ):
        with pytest.raises(ApiRefusedError) as caught:
            cluster.read(forbidden)
        assert caught.value.status == 403


def test_names_are_those_of_staging() -> None:
    """A Deployment that the file does not name would go on running."""
    environment = ApplicationEnvironment(ROOT, loader.load(ROOT), "staging")
    names = sorted(rendered.name for rendered in environment.manifest.of_kind("Deployment"))
    [role] = find("Role")
    jobs = [
        job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0] for job in find("CronJob")
    ]
    assert role["metadata"]["namespace"] == environment.namespace
    assert role["rules"][0]["resourceNames"] == names
    assert [job["args"] for job in jobs] == [[environment.namespace, *names]] * 2
    assert [job["command"][-1] for job in jobs] == ["sleep", "wake"]
    assert scaling.LOCK in role["rules"][1]["resourceNames"]
