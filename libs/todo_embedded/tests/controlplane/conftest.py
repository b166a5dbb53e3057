"""One control plane for all tests, because starting it takes longer than a test."""

import re
import uuid
from collections.abc import Callable, Iterator

import pytest

from todo_embedded.controlplane.control_plane import ControlPlane, control_plane
from todo_embedded.controlplane.crds import install_definitions
from todo_embedded.controlplane.sidecar_injector import inject_sidecars

from .namespaces import Namespace
from .sample_nodes import NODES, WORKLOADS

REFUSED = "shop/refused"
REFUSAL = f'failed to resolve reference "{REFUSED}:1": {REFUSED}:1: not found'


class RegistryDouble:
    """Says which images exist, and records which were asked for."""

    def __init__(self) -> None:
        """Has every image except those of one repository, until `is_complete`."""
        self.asked: list[str] = []
        self.is_complete = False

    def check(self, image: str) -> str | None:
        """Returns the refusal of an image, or None: the control plane's image check."""
        self.asked.append(image)
        return None if self.is_complete or not image.startswith(REFUSED) else REFUSAL


@pytest.fixture(scope="session")
def registry() -> RegistryDouble:
    """Returns the registry of the control plane."""
    return RegistryDouble()


@pytest.fixture(scope="session")
def plane(
    tmp_path_factory: pytest.TempPathFactory, tell: Callable[[str], None], registry: RegistryDouble
) -> Iterator[ControlPlane]:
    """Runs the control plane, with sidecar injection and custom resource definitions."""
    folder = tmp_path_factory.mktemp("plane")
    with control_plane(
        folder, nodes=NODES, workloads=WORKLOADS, image_check=registry.check, progress=tell
    ) as plane:
        install_definitions(plane.api, progress=tell)
        inject_sidecars(plane.api)
        yield plane


@pytest.fixture
def make_namespace(plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[Callable[..., Namespace]]:
    """Yields a function that creates a namespace with labels; they and all faults are removed afterwards."""
    created: list[Namespace] = []
    name = re.sub("[^a-z]+", "-", request.node.name.lower())[:40]

    def make(**labels: str) -> Namespace:
        created.append(Namespace(plane, f"{name}-{uuid.uuid4().hex[:6]}", labels))
        return created[-1]

    yield make
    plane.kubelet.set_faults()
    for namespace in created:
        plane.api.delete(f"api/v1/namespaces/{namespace.name}")


@pytest.fixture
def namespace(make_namespace: Callable[..., Namespace]) -> Namespace:
    """Returns a namespace that only this test uses."""
    return make_namespace()
