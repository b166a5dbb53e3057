"""One real API server for all tests of this folder, with simulated nodes and the kinds of cert-manager."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from todo_cluster.bootstrap import run
from todo_cluster.command import ClusterOptions
from todo_embedded.controlplane.control_plane import ControlPlane, control_plane
from todo_embedded.controlplane.crds import install_definitions
from todo_embedded.controlplane.nodes import deployment
from todo_embedded.errors import ApiError

NAMESPACES = ("staging", "production", "gauges")
CLUSTER_WIDE = (
    "apis/cert-manager.io/v1/clusterissuers/trial",
    "apis/cert-manager.io/v1/clusterissuers/real",
    "apis/apiextensions.k8s.io/v1/customresourcedefinitions/gauges.gauges.test",
    "apis/scheduling.k8s.io/v1/priorityclasses/staging-first",
    "api/v1/namespaces/kube-system/configmaps/cluster-bootstrap",
)


@dataclass
class Images:
    """What the nodes cannot pull; empty by default."""

    refused: str = ""

    def check(self, image: str) -> str | None:
        """Returns why a node cannot pull an image."""
        return f"not found: {image}" if self.refused and self.refused in image else None


@pytest.fixture(scope="session")
def images() -> Images:
    """The images that nodes can pull."""
    return Images()


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory, images: Images) -> Iterator[ControlPlane]:
    """A running control plane."""
    with control_plane(
        tmp_path_factory.mktemp("plane"),
        workloads=[deployment("dns", {"cpu": "100m", "memory": "70Mi"}, replicas=1)],
        image_check=images.check,
    ) as running:
        install_definitions(running.api)
        yield running


@pytest.fixture
def fresh(plane: ControlPlane, images: Images) -> Iterator[ControlPlane]:
    """The control plane without anything of an earlier bootstrap."""
    yield plane
    images.refused = ""
    for namespace in NAMESPACES:
        _delete(plane, f"api/v1/namespaces/{namespace}")
    for path in CLUSTER_WIDE:
        _delete(plane, path)
    while any(_read(plane, f"api/v1/namespaces/{namespace}") for namespace in NAMESPACES):
        threading.Event().wait(0.1)


@dataclass
class Authority:
    """What the certificate authority does: it accepts accounts, and issues for hosts that are not refused."""

    issues: bool = True


@pytest.fixture
def authority(fresh: ControlPlane) -> Iterator[Authority]:
    """A stand-in for cert-manager's controllers: it sets the conditions of issuers and certificates."""
    authority, stopped = Authority(), threading.Event()

    def watch() -> None:
        while not stopped.wait(0.1):
            for path in ("clusterissuers", "certificates"):
                if path == "clusterissuers" or authority.issues:
                    for item in fresh.api.items(f"apis/cert-manager.io/v1/{path}"):
                        _set_ready(fresh, path, item)

    thread = threading.Thread(target=watch)
    thread.start()
    yield authority
    stopped.set()
    thread.join()


def _set_ready(plane: ControlPlane, plural: str, item: Any) -> None:
    if (item.get("status") or {}).get("conditions"):
        return
    namespace = item["metadata"].get("namespace")
    place = f"namespaces/{namespace}/{plural}" if namespace else plural
    condition = {"type": "Ready", "status": "True", "reason": "Issued", "message": "done"}
    try:
        plane.api.merge(
            f"apis/cert-manager.io/v1/{place}/{item['metadata']['name']}/status",
            {"status": {"conditions": [condition]}},
        )
    except ApiError as error:  # it was deleted meanwhile
        if error.status_code != 404:
            raise


def _delete(plane: ControlPlane, path: str) -> None:
    try:
        plane.api.delete(path)
    except ApiError as error:
        if error.status_code not in {404, 409}:
            raise


def _read(plane: ControlPlane, path: str) -> Any:
    try:
        return plane.api.read(path)
    except ApiError as error:
        if error.status_code == 404:
            return None
        raise


@pytest.fixture
def versions(fresh: ControlPlane) -> Callable[[], dict[str, str]]:
    """Returns a function that reads the resource version of every object that a bootstrap may write."""
    kinds = (
        "api/v1/namespaces", "api/v1/configmaps", "api/v1/secrets", "api/v1/serviceaccounts",
        "apis/apps/v1/deployments", "apis/rbac.authorization.k8s.io/v1/rolebindings",
        "apis/scheduling.k8s.io/v1/priorityclasses", "apis/cert-manager.io/v1/clusterissuers",
        "apis/cert-manager.io/v1/certificates", "apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    )  # fmt: skip

    def read() -> dict[str, str]:
        return {
            f"{kind}/{item['metadata'].get('namespace', '')}/{item['metadata']['name']}": str(
                item["metadata"]["resourceVersion"]
            )
            for kind in kinds
            for item in fresh.api.items(kind)
        }

    return read


@pytest.fixture
def bootstrap(
    fresh: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Returns a function that runs the command in `tmp_path` and returns its exit code and its output."""
    monkeypatch.setenv("KUBECONFIG", str(fresh.kubeconfig))

    def call(*, is_plan: bool = False) -> tuple[int, str]:
        capsys.readouterr()
        options = ClusterOptions(output="lines", is_agreed=True)
        code = run.bootstrap(tmp_path, options, is_plan=is_plan)
        return code, capsys.readouterr().out

    return call
