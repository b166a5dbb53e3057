"""The control plane as a whole: it starts, serves authenticated clients, and leaves nothing behind."""

import base64
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from todo_embedded.controlplane import control_plane as control_plane_module
from todo_embedded.controlplane.binaries import find_binaries
from todo_embedded.controlplane.control_plane import ControlPlane, control_plane
from todo_embedded.controlplane.nodes import SimulatedNode, bound_pod
from todo_embedded.errors import ApiError, ProcessStartError
from todo_embedded.ports import is_free

from .namespaces import Namespace

TAINTED = SimulatedNode(
    name="batch-1",
    capacity={"cpu": "4", "memory": "8Gi", "pods": "20"},
    allocatable={"cpu": "3900m", "memory": "6Gi", "pods": "20"},
    labels={"pool": "batch"},
    taints=({"key": "batch", "value": "yes", "effect": "NoSchedule"},),
)
LOGGING = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "logging"}}
ROUTES = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "routes.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Cluster",
        "names": {"plural": "routes", "kind": "Route"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}
WORKLOADS = (LOGGING, ROUTES, bound_pod("loki-0", {"cpu": "1"}, node="batch-1", namespace="logging"))


def test_control_plane_starts_with_ready_nodes_and_running_workloads(plane: ControlPlane) -> None:
    """All nodes are Ready and all pods of the given workloads run when the block begins."""
    nodes = plane.api.items("api/v1/nodes")
    ready = [
        next(
            condition["status"] for condition in node["status"]["conditions"] if condition["type"] == "Ready"
        )
        for node in nodes
    ]
    assert ready == ["True", "True", "True"]
    assert {node["status"]["allocatable"]["memory"] for node in nodes} == {"3110Mi"}
    pods = plane.api.items("api/v1/namespaces/kube-system/pods")
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    assert len(pods) == 3 * 2 + 2


def test_kubeconfig_is_private_and_has_the_context_rehearsal(plane: ControlPlane) -> None:
    """Only the owner can read the file, and its context has a name that no real cluster has."""
    assert plane.kubeconfig.stat().st_mode & 0o777 == 0o600
    config = json.loads(plane.kubeconfig.read_text())
    assert [context["name"] for context in config["contexts"]] == [config["current-context"]] == ["rehearsal"]
    assert config["clusters"][0]["cluster"]["server"] == plane.url
    assert plane.url.startswith("https://127.0.0.1:")


def test_client_without_a_certificate_is_refused(plane: ControlPlane) -> None:
    """The API server answers 401 to a client without a certificate."""
    config = json.loads(plane.kubeconfig.read_text())
    authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"])
    trusting = ssl.create_default_context(cadata=authority.decode())
    assert httpx2.get(f"{plane.url}/api/v1/nodes", verify=trusting).status_code == 401


def test_refusal_names_the_request_and_the_reason(plane: ControlPlane, namespace: Namespace) -> None:
    """An ApiError carries the server's message and its HTTP status."""
    with pytest.raises(
        ApiError, match=rf'POST /api/v1/namespaces was refused \(409\):.*"{namespace.name}"'
    ) as caught:
        Namespace(plane, namespace.name)
    assert caught.value.status_code == 409


async def test_logs_can_be_read(namespace: Namespace) -> None:
    """Reading the log of a simulated container succeeds and returns an empty text."""
    deployment = namespace.deploy("web")
    namespace.wait_until(lambda: namespace.is_available(deployment))
    name = namespace.pods()[0]["metadata"]["name"]
    async with namespace.api.async_client() as client:
        log = await client.get(f"api/v1/namespaces/{namespace.name}/pods/{name}/log")
    assert (log.status_code, log.text) == (200, "")


def processes_of(folder: Path) -> set[int]:
    """Returns the processes whose command line names this folder."""
    pids = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder) in path.read_bytes().decode():
                pids.add(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
    return pids


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc")
def test_nothing_is_left_after_the_block(tmp_path: Path, survivors: Callable[..., set[int]]) -> None:
    """Inside the block there are the given nodes and kinds, afterwards no process, port or file."""
    with control_plane(tmp_path, nodes=[TAINTED], workloads=WORKLOADS) as plane:
        node = plane.api.read("api/v1/nodes/batch-1")
        plane.api.create({"apiVersion": "example.com/v1", "kind": "Route", "metadata": {"name": "first"}})
        pids = processes_of(tmp_path)
        url = plane.url
    assert node["metadata"]["labels"]["pool"] == "batch"
    assert node["spec"]["taints"] == list(TAINTED.taints)
    assert len(pids) == 5
    assert survivors(pids, timeout_seconds=0) == set()
    assert is_free(int(url.rpartition(":")[2]))
    assert list(tmp_path.iterdir()) == []


def test_program_that_fails_is_named_with_its_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A control plane that cannot start names the program and its last lines, and leaves no file."""
    broken = replace(find_binaries(), api_server=("sh", "-c", "echo no such flag; exit 3"))
    monkeypatch.setattr(control_plane_module, "find_binaries", lambda **_options: broken)
    message = r"kube-apiserver ended with 3(.|\n)*no such flag"
    with pytest.raises(ProcessStartError, match=message), control_plane(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc")
def test_programs_inherit_no_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs start, and none of them has the proxy of this process."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with control_plane(tmp_path, nodes=[TAINTED]):
        environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in processes_of(tmp_path)]
    assert len(environments) == 5
    assert [text for text in environments if b"_proxy=" in text.lower()] == []


def test_command_runs_until_it_is_interrupted(tmp_path: Path) -> None:
    """`python -m todo_embedded.controlplane` prints its kubeconfig, and Ctrl-C removes everything."""
    command = [sys.executable, "-m", "todo_embedded.controlplane"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        kubeconfig = Path(line.removeprefix("export KUBECONFIG=").strip())
        assert kubeconfig.is_relative_to(tmp_path)
        assert kubeconfig.exists()
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
    assert not kubeconfig.exists()
