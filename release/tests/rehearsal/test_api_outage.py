"""The real Helm and an API server that goes away: it is started again, and killed when the lock is lost."""

import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from todo_release.adapters.helm.cli import Helm
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.core.fence import Fence
from todo_release.environments.applying import apply_patiently
from todo_release.errors import LockedError

from .shared_control_plane import SharedControlPlane

SLOW_HOOK = """\
apiVersion: batch/v1
kind: Job
metadata: {name: slow, annotations: {"helm.sh/hook": "pre-install,pre-upgrade"}}
spec:
  suspend: true
  template: {spec: {restartPolicy: Never, containers: [{name: slow, image: slow}]}}
"""
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"


class Road:
    """A way to the API server that can be closed and opened; while closed, connections are refused."""

    def __init__(self, port: int) -> None:
        """Starts closed, at a free port."""
        self._target = port
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Passes connections on while the block runs."""
        with socket.create_server(("127.0.0.1", self.port)) as listener:
            accepting = threading.Thread(target=self._accept, args=(listener,))
            accepting.start()
            try:
                yield
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                accepting.join()

    def _accept(self, listener: socket.socket) -> None:
        with ExitStack() as stack, suppress(OSError):
            while True:
                near = stack.enter_context(listener.accept()[0])
                far = stack.enter_context(socket.create_connection(("127.0.0.1", self._target)))
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


class Setup:
    """A namespace of the control plane, reached over a road."""

    def __init__(self, shared: SharedControlPlane, folder: Path, template: str) -> None:
        """Creates the namespace and a chart with one template."""
        config = json.loads(shared.plane.kubeconfig.read_text())
        server = config["clusters"][0]["cluster"]["server"]
        self.road = Road(int(server.rpartition(":")[2]))
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.road.port}"
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(json.dumps(config))
        self.namespace = f"outage-{uuid.uuid4().hex[:8]}"
        shared.plane.api.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        )
        self.chart = folder / "chart"
        (self.chart / "templates").mkdir(parents=True)
        (self.chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 0.1.0\n")
        (self.chart / "templates/one.yaml").write_text(template)
        self.fence = Fence()
        cluster = Cluster.connect("rehearsal", kubeconfig, fence=self.fence)
        self.helm = Helm("rehearsal", self.namespace, kubeconfig, cluster=cluster, fence=self.fence)
        self.notes: list[str] = []

    def apply(self, seconds: float) -> None:
        """Installs the chart."""

        def say(text: str, *, is_note: bool = False) -> None:
            self.notes.append(text)

        access: Any = SimpleNamespace(
            helm=self.helm, fence=self.fence, settings=SimpleNamespace(release="shop")
        )
        apply_patiently(
            access,
            lambda: self.helm.upgrade("shop", self.chart, timeout_seconds=seconds, on_line=say),
            is_done=lambda newest: newest.number == 1,
            seconds=seconds,
            say=say,
        )


def test_helm_is_started_again_when_the_server_is_back(shared: SharedControlPlane, tmp_path: Path) -> None:
    """Helm gives up at once when nothing answers; the engine waits and installs the chart then."""
    setup = Setup(shared, tmp_path, SETTINGS)
    work = threading.Thread(target=setup.apply, args=(60,))
    work.start()
    deadline = time.monotonic() + 20
    while not any("tried again" in note for note in setup.notes):
        assert time.monotonic() < deadline, setup.notes
        time.sleep(0.05)
    with setup.road.opened():
        work.join(40)
        assert setup.helm.statuses("shop") == {1: "deployed"}


def test_helm_is_killed_when_the_lock_is_lost(shared: SharedControlPlane, tmp_path: Path) -> None:
    """Its revision stays pending: it may not even record how it ended, and the new holder unlocks it."""
    setup = Setup(shared, tmp_path, SLOW_HOOK)
    with setup.road.opened():

        def take_over() -> None:
            while not setup.helm.statuses("shop"):
                time.sleep(0.1)
            setup.fence.close(LockedError("Bob releases 1.3.1.", remedy="Wait."))

        threading.Thread(target=take_over, daemon=True).start()
        with pytest.raises(LockedError, match="Bob releases"):
            setup.apply(60)
        assert setup.helm.statuses("shop") == {1: "pending-install"}
        with pytest.raises(LockedError, match="Bob releases"):
            setup.helm.unlock("shop")
        setup.fence.lift()
        unlocked = setup.helm.unlock("shop")
        assert unlocked is not None
        assert unlocked.status == "pending-install"
