"""The plane as a whole: it boots, serves those it knows, and leaves nothing behind."""

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

from todo_embedded.controlplane import control_plane as plane_module
from todo_embedded.controlplane.binaries import programs
from todo_embedded.controlplane.control_plane import Plane, control_plane
from todo_embedded.controlplane.nodes import Node, occupant
from todo_embedded.errors import ApiError, ProcessStartError
from todo_embedded.ports import is_free

from .room import Room

TAINTED = Node(
    name="twin-1",
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
SEEN_THERE = (LOGGING, ROUTES, occupant("loki-0", {"cpu": "1"}, node="twin-1", namespace="logging"))


def test_plane_begins_with_ready_nodes_and_what_the_provider_runs(plane: Plane) -> None:
    """Three small machines are Ready, each with four pods of DaemonSets, and there are two DNS servers."""
    nodes = plane.api.items("api/v1/nodes")
    ready = [
        next(one["status"] for one in node["status"]["conditions"] if one["type"] == "Ready")
        for node in nodes
    ]
    assert ready == ["True", "True", "True"]
    assert {node["status"]["allocatable"]["memory"] for node in nodes} == {"3110Mi"}
    pods = plane.api.items("api/v1/namespaces/kube-system/pods")
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    assert len(pods) == 3 * 4 + 2


def test_kubeconfig_is_for_its_owner_and_names_the_rehearsal(plane: Plane) -> None:
    """Only its owner may read it; its only context cannot be taken for a real cluster's."""
    assert plane.kubeconfig.stat().st_mode & 0o777 == 0o600
    config = json.loads(plane.kubeconfig.read_text())
    assert [one["name"] for one in config["contexts"]] == [config["current-context"]] == ["rehearsal"]
    assert config["clusters"][0]["cluster"]["server"] == plane.url
    assert plane.url.startswith("https://127.0.0.1:")


def test_stranger_is_refused(plane: Plane) -> None:
    """Who has no certificate gets nothing."""
    config = json.loads(plane.kubeconfig.read_text())
    authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"])
    trusting = ssl.create_default_context(cadata=authority.decode())
    assert httpx2.get(f"{plane.url}/api/v1/nodes", verify=trusting).status_code == 401


def test_refusal_says_what_was_asked_and_why(plane: Plane, room: Room) -> None:
    """The server's own words and its status reach the caller."""
    with pytest.raises(
        ApiError, match=rf'POST /api/v1/namespaces was refused \(409\):.*"{room.name}"'
    ) as caught:
        Room(plane, room.name)
    assert caught.value.status_code == 409


async def test_logs_can_be_asked_for(room: Room) -> None:
    """A container has written nothing; asking is no error."""
    made = room.deploy("web")
    room.until(lambda: room.is_available(made))
    name = room.pods()[0]["metadata"]["name"]
    async with room.api.asynchronous() as client:
        log = await client.get(f"api/v1/namespaces/{room.name}/pods/{name}/log")
    assert (log.status_code, log.text) == (200, "")


def processes_of(folder: Path) -> set[int]:
    """Processes that were started with something of this folder."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder) in path.read_bytes().decode():
                found.add(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc")
def test_nothing_is_left_after_the_block(tmp_path: Path, survivors: Callable[..., set[int]]) -> None:
    """No process, no port and no file; the machines and kinds were those that were described."""
    with control_plane(tmp_path, nodes=[TAINTED], workloads=SEEN_THERE) as plane:
        node = plane.api.read("api/v1/nodes/twin-1")
        plane.api.create({"apiVersion": "example.com/v1", "kind": "Route", "metadata": {"name": "first"}})
        pids = processes_of(tmp_path)
        url = plane.url
    assert node["metadata"]["labels"]["pool"] == "batch"
    assert node["spec"]["taints"] == list(TAINTED.taints)
    assert len(pids) == 5
    assert survivors(pids, timeout_seconds=0) == set()
    assert is_free(int(url.rpartition(":")[2]))
    assert list(tmp_path.iterdir()) == []


def test_program_that_fails_is_named_with_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plane that cannot start says which program ended, and what it said last; nothing stays."""
    broken = replace(programs(), api_server=("sh", "-c", "echo no such flag; exit 3"))
    monkeypatch.setattr(plane_module, "programs", lambda **_options: broken)
    said = r"kube-apiserver ended with 3(.|\n)*no such flag"
    with pytest.raises(ProcessStartError, match=said), control_plane(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_command_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    """`python -m todo_embedded.controlplane` says where its kubeconfig is; Ctrl-C takes it all away."""
    command = [sys.executable, "-m", "todo_embedded.controlplane"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        kubeconfig = Path(said.removeprefix("export KUBECONFIG=").strip())
        assert kubeconfig.is_relative_to(tmp_path)
        assert kubeconfig.exists()
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
    assert not kubeconfig.exists()
