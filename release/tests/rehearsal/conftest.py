"""One control plane and one registry for all tests of this folder, because they take long to start."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from todo_embedded.controlplane.control_plane import control_plane
from todo_embedded.controlplane.crds import install_definitions
from todo_embedded.controlplane.sidecar_injector import inject_sidecars
from todo_embedded.registry import image_registry
from todo_release.rehearsal import cluster_fixture

from ..shop import Tree
from .deployable_shop import REHEARSAL_SETTINGS, never_released
from .shared_control_plane import SharedControlPlane


@pytest.fixture(scope="session")
def shared(
    tmp_path_factory: pytest.TempPathFactory, tell: Callable[[str], None]
) -> Iterator[SharedControlPlane]:
    """Runs the shared control plane, with the shop's nodes."""
    shared = SharedControlPlane()
    with control_plane(
        tmp_path_factory.mktemp("plane"),
        nodes=cluster_fixture.simulated_nodes(REHEARSAL_SETTINGS),
        workloads=cluster_fixture.provider_workloads(REHEARSAL_SETTINGS),
        image_check=shared.check,
        progress=tell,
    ) as plane:
        install_definitions(plane.api, progress=tell)
        inject_sidecars(plane.api)
        shared.plane = plane
        yield shared


@pytest.fixture(scope="session")
def registry_host(tell: Callable[[str], None]) -> Iterator[str]:
    """Runs a registry and yields its host."""
    with image_registry(progress=tell) as host:
        yield host


@pytest.fixture
def on_shared_plane(shared: SharedControlPlane, monkeypatch: pytest.MonkeyPatch) -> SharedControlPlane:
    """Makes the rehearsals of a test use the shared control plane."""
    monkeypatch.setattr(cluster_fixture, "run_cluster", shared.run_cluster)
    return shared


@pytest.fixture
def shop(tmp_path: Path) -> Tree:
    """Returns the shop, never released."""
    return never_released(tmp_path / "shop")
