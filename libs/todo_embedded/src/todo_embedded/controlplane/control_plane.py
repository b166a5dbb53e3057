"""Starts a control plane with simulated nodes for the duration of a block."""

import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from todo_embedded.controlplane.api_client import ApiClient
from todo_embedded.controlplane.binaries import find_binaries
from todo_embedded.controlplane.command_lines import CommandLines, Ports
from todo_embedded.controlplane.crds import is_served
from todo_embedded.controlplane.kwok_stages import QUICK, Pace, write_stages
from todo_embedded.controlplane.nodes import SimulatedNode, node_pool
from todo_embedded.controlplane.object_paths import KubeObject, location
from todo_embedded.controlplane.simulated_kubelet import ImageCheck, SimulatedKubelet, every_image_exists
from todo_embedded.controlplane.volume_provisioner import VolumeProvisioner
from todo_embedded.process import ServerProcess
from todo_embedded.tools import OnMessage, ignore_progress

START_TIMEOUT_SECONDS = 60
NOT_READY = "node.kubernetes.io/not-ready"

OnProgramLine = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running control plane; its kubeconfig has one context, `rehearsal`, whose user may do everything."""

    kubeconfig: Path
    url: str
    api: ApiClient = field(repr=False)
    kubelet: SimulatedKubelet = field(repr=False)


@contextmanager
def control_plane(
    folder: Path,
    *,
    nodes: Sequence[SimulatedNode] | None = None,
    workloads: Sequence[KubeObject] = (),
    image_check: ImageCheck = every_image_exists,
    pace: Pace = QUICK,
    on_line: OnProgramLine | None = None,
    progress: OnMessage = ignore_progress,
) -> Iterator[ControlPlane]:
    """Runs a control plane on free ports of 127.0.0.1.

    When the block begins, all nodes are Ready and all workloads available.

    Args:
        folder: an existing folder for the control plane's state, which is removed afterwards.
        nodes: by default three small ones.
        workloads: objects that exist beforehand, in the order in which to create them.
        image_check: which images can be pulled; see `SimulatedKubelet`.
        pace: how fast simulated pods change.
        on_line: called from reader threads with the name of a program and a line it wrote.
        progress: called with messages about downloads, builds and the start.

    Raises:
        EmbeddedError: a program could not be built or started, or an object was refused.
    """
    binaries = find_binaries(progress=progress)
    started_at = time.monotonic()
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plane-", dir=folder)))
        ports = Ports.free()
        commands = CommandLines(binaries, state, ports)

        def run(name: str, command: Sequence[str]) -> ServerProcess:
            """Starts a program; it is stopped by SIGKILL, because nothing of its state is kept."""
            listener = (lambda line: on_line(name, line)) if on_line else None
            return stack.enter_context(
                ServerProcess(name, command, env=_environment(), on_line=listener, stop_signal=signal.SIGKILL)
            )

        etcd = run("etcd", commands.etcd())
        _wait_for(etcd, lambda: _listens(ports.etcd))
        api_server = run("kube-apiserver", commands.api_server())
        api = stack.enter_context(
            ApiClient(commands.url, authority=commands.authority, user=commands.administrator)
        )
        _wait_for(api_server, api.is_ready)
        controllers = run("kube-controller-manager", commands.controller_manager())
        scheduler = run("kube-scheduler", commands.scheduler())
        kwok = run("kwok", commands.kwok(write_stages(state / "kwok.yaml", pace)))
        kubelet = stack.enter_context(
            SimulatedKubelet(api, image_check=image_check, retry_seconds=pace.back_off)
        )
        stack.enter_context(VolumeProvisioner(api))
        for number, node in enumerate(node_pool() if nodes is None else nodes, start=1):
            api.create(node.manifest(number, ports.kubelets))
        _create_workloads(api, workloads, controllers, scheduler)
        _wait_for(kwok, lambda: _are_nodes_ready(api))
        progress(f"The control plane is ready after {time.monotonic() - started_at:.1f} s")
        yield ControlPlane(kubeconfig=commands.kubeconfig, url=commands.url, api=api, kubelet=kubelet)


def _create_workloads(
    api: ApiClient, workloads: Sequence[KubeObject], controllers: ServerProcess, scheduler: ServerProcess
) -> None:
    """Creates the workloads; waits until they are available and the namespace default can have pods."""
    for workload in workloads:
        if workload["kind"] == "Pod":  # refused before its namespace has a service account
            _wait_for(controllers, partial(_has_account, api, workload["metadata"]["namespace"]))
        api.create(workload)
    _wait_for(controllers, partial(_has_account, api, "default"))
    _wait_for(scheduler, lambda: all(_is_available(api, workload) for workload in workloads))


def _environment() -> dict[str, str]:
    """Returns the environment without proxies: the programs only talk to each other, on this machine."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def _wait_for(process: ServerProcess, is_ready: Callable[[], bool]) -> None:
    process.wait_until_ready(is_ready, timeout_seconds=START_TIMEOUT_SECONDS)


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _has_account(api: ApiClient, namespace: str) -> bool:
    return api.read(f"api/v1/namespaces/{namespace}/serviceaccounts/default") is not None


def _has_condition(status: KubeObject, kind: str) -> bool:
    return any(
        (condition["type"], condition["status"]) == (kind, "True")
        for condition in status.get("conditions") or ()
    )


def _are_nodes_ready(api: ApiClient) -> bool:
    """Returns whether all nodes are Ready and take pods, whatever taints were given to them."""
    return all(
        _has_condition(node["status"], "Ready")
        and all(taint["key"] != NOT_READY for taint in node["spec"].get("taints", []))
        for node in api.items("api/v1/nodes")
    )


def _is_available(api: ApiClient, workload: KubeObject) -> bool:
    """Returns whether all pods of a workload are ready, or a definition is served; other kinds always are."""
    live = api.read(location(workload))
    status = live.get("status", {})
    match workload["kind"]:
        case "DaemonSet":
            wanted = status.get("desiredNumberScheduled", 0)
            return bool(0 < wanted == status.get("numberAvailable", 0))
        case "Deployment":
            return bool(live["spec"]["replicas"] == status.get("availableReplicas", 0))
        case "Pod":
            return bool(status.get("phase") == "Running")
        case "CustomResourceDefinition":
            return is_served(api, live)
    return True
