"""Starts a control plane with simulated machines, for the length of a block."""

import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from todo_embedded.controlplane.api_client import Api, Manifest, location
from todo_embedded.controlplane.binaries import programs
from todo_embedded.controlplane.command_lines import Ports, Servers
from todo_embedded.controlplane.kwok_stages import QUICK, Pace, write_stages
from todo_embedded.controlplane.nodes import DOKS_WORKLOADS, DROPLETS, Node
from todo_embedded.controlplane.simulated_kubelet import Fates, ImageCheck, every_image_exists
from todo_embedded.process import ServerProcess
from todo_embedded.tools import Progress, ignore_progress

START_TIMEOUT_SECONDS = 60
NOT_READY = "node.kubernetes.io/not-ready"

OnLine = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Plane:
    """A running control plane: `kubeconfig` has one context, `rehearsal`, which may do everything."""

    kubeconfig: Path
    url: str
    api: Api = field(repr=False)
    fates: Fates = field(repr=False)


@contextmanager
def control_plane(
    folder: Path,
    *,
    nodes: Sequence[Node] = DROPLETS,
    workloads: Sequence[Manifest] = DOKS_WORKLOADS,
    image_check: ImageCheck = every_image_exists,
    pace: Pace = QUICK,
    on_line: OnLine | None = None,
    progress: Progress = ignore_progress,
) -> Iterator[Plane]:
    """Run a control plane on free ports of 127.0.0.1; its state lies in `folder`, which exists, meanwhile.

    When the block begins all `nodes` are Ready, and all `workloads` available: what others run there, as
    objects in the order in which to create them. `image_check` is explained in `Fates`. `on_line` is called
    from reader threads with the name of a program and a line it wrote. Raises EmbeddedError.
    """
    commands = programs(progress=progress)
    began = time.monotonic()
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plane-", dir=folder)))
        ports = Ports.free()
        servers = Servers(commands, state, ports)

        def run(name: str, command: Sequence[str]) -> ServerProcess:
            """Nothing they hold is to be kept, so they are stopped by SIGKILL."""
            listener = (lambda line: on_line(name, line)) if on_line else None
            return stack.enter_context(
                ServerProcess(name, command, on_line=listener, stop_signal=signal.SIGKILL)
            )

        def wait_for(process: ServerProcess, is_ready: Callable[[], bool]) -> None:
            process.wait_until_ready(is_ready, timeout_seconds=START_TIMEOUT_SECONDS)

        etcd = run("etcd", servers.etcd())
        wait_for(etcd, lambda: _listens(ports.etcd))
        api_server = run("kube-apiserver", servers.api_server())
        api = stack.enter_context(Api(servers.url, authority=servers.authority, user=servers.administrator))
        wait_for(api_server, api.is_ready)
        controllers = run("kube-controller-manager", servers.controller_manager())
        scheduler = run("kube-scheduler", servers.scheduler())
        kwok = run("kwok", servers.kwok(write_stages(state / "kwok.yaml", pace)))
        fates = stack.enter_context(Fates(api, image_check=image_check, retry_seconds=pace.back_off))
        for number, node in enumerate(nodes, start=1):
            api.create(node.manifest(number, ports.kubelets))
        for workload in workloads:
            if workload["kind"] == "Pod":  # the one kind that is refused before its namespace has its account
                wait_for(controllers, partial(_has_account, api, workload["metadata"]["namespace"]))
            api.create(workload)
        wait_for(controllers, partial(_has_account, api, "default"))
        wait_for(kwok, lambda: _are_ready(api))
        wait_for(scheduler, lambda: all(_is_available(api, workload) for workload in workloads))
        progress(f"The control plane is ready after {time.monotonic() - began:.1f} s")
        yield Plane(kubeconfig=servers.kubeconfig, url=servers.url, api=api, fates=fates)


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _has_account(api: Api, namespace: str) -> bool:
    return api.read(f"api/v1/namespaces/{namespace}/serviceaccounts/default") is not None


def _are_ready(api: Api) -> bool:
    """Tell whether all nodes are Ready and take pods, whatever taints of their own they have."""
    return all(
        any((one["type"], one["status"]) == ("Ready", "True") for one in node["status"].get("conditions", []))
        and all(one["key"] != NOT_READY for one in node["spec"].get("taints", []))
        for node in api.items("api/v1/nodes")
    )


def _is_available(api: Api, workload: Manifest) -> bool:
    """Tell whether all pods of a workload are, or a definition is served; all else is there once made."""
    found = api.read(location(workload))
    status = found.get("status", {})
    match workload["kind"]:
        case "DaemonSet":
            wanted = status.get("desiredNumberScheduled", 0)
            return bool(0 < wanted == status.get("numberAvailable", 0))
        case "Deployment":
            return bool(found["spec"]["replicas"] == status.get("availableReplicas", 0))
        case "Pod":
            return bool(status.get("phase") == "Running")
        case "CustomResourceDefinition":
            conditions = status.get("conditions") or []
            return any((one["type"], one["status"]) == ("Established", "True") for one in conditions)
    return True
