"""Real servers for the tests of this package: PostgreSQL, and an API server with simulated nodes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from todo_embedded.controlplane.control_plane import ControlPlane, control_plane
from todo_embedded.postgres import PostgresServer, postgres_server

from .sample_application import SampleApplication


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL server."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A running control plane; its nodes cannot pull images whose name has `refused` in it."""
    with control_plane(
        tmp_path_factory.mktemp("plane"),
        image_check=lambda image: f"{image}: not found" if "refused" in image else None,
    ) as running:
        yield running


@pytest.fixture
def application(tmp_path: Path) -> SampleApplication:
    """The sample application in `tmp_path`, without a cluster."""
    return SampleApplication.write(tmp_path)


@pytest.fixture
def deployed(
    plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., None]
) -> Iterator[SampleApplication]:
    """The sample application, deployed to the control plane; its namespaces are deleted afterwards."""
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig))
    sample = SampleApplication.write(tmp_path)
    for namespace in sample.namespaces:
        plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    try:
        sample.deploy("staging")
        yield sample
    finally:
        for namespace in sample.namespaces:
            plane.api.delete(f"api/v1/namespaces/{namespace}")
        wait_until(lambda: not any(plane.api.read(f"api/v1/namespaces/{name}") for name in sample.namespaces))


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """Returns a function that waits until a condition holds, and fails after two minutes."""

    def wait(condition: Callable[[], bool], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "the condition did not hold in time"
            time.sleep(0.05)

    return wait
