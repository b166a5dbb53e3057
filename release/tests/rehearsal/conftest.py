"""One control plane and one registry for all tests of this folder: they take longer to start than to use."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from todo_embedded.controlplane.control_plane import control_plane
from todo_embedded.controlplane.crds import install_definitions
from todo_embedded.controlplane.sidecar_injector import inject_sidecars
from todo_embedded.registry import image_registry
from todo_release.rehearsal import cluster_fixture

from ..shop import Tree
from .deployable_shop import never_released
from .shared_control_plane import SharedPlane


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, tell: Callable[[str], None]) -> Iterator[SharedPlane]:
    """The plane, as a rehearsal furnishes it for every application."""
    made = SharedPlane()
    with control_plane(tmp_path_factory.mktemp("plane"), image_check=made.check, progress=tell) as plane:
        install_definitions(plane.api, progress=tell)
        inject_sidecars(plane.api)
        made.plane = plane
        yield made


@pytest.fixture(scope="session")
def registry_host(tell: Callable[[str], None]) -> Iterator[str]:
    """A real registry."""
    with image_registry(progress=tell) as host:
        yield host


@pytest.fixture
def on_shared_plane(shared: SharedPlane, monkeypatch: pytest.MonkeyPatch) -> SharedPlane:
    """Rehearsals of this test are held on the shared plane."""
    monkeypatch.setattr(cluster_fixture, "running", shared.running)
    return shared


@pytest.fixture
def shop(tmp_path: Path) -> Tree:
    """The shop, never released."""
    return never_released(tmp_path / "shop")
