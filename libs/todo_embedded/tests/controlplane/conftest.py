"""One control plane for all tests: it takes longer to start than to use."""

import re
import uuid
from collections.abc import Callable, Iterator

import pytest

from todo_embedded.controlplane.control_plane import Plane, control_plane
from todo_embedded.controlplane.crds import install_definitions
from todo_embedded.controlplane.sidecar_injector import inject_sidecars

from .room import Room

REFUSED = "shop/refused"
REFUSAL = f'failed to resolve reference "{REFUSED}:1": {REFUSED}:1: not found'


class Registry:
    """Says which images exist, and notes which were asked for."""

    def __init__(self) -> None:
        """All images exist but one repository's."""
        self.asked: list[str] = []
        self.is_complete = False

    def check(self, image: str) -> str | None:
        """The image check of the plane."""
        self.asked.append(image)
        return None if self.is_complete or not image.startswith(REFUSED) else REFUSAL


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The registry of the plane."""
    return Registry()


@pytest.fixture(scope="session")
def plane(
    tmp_path_factory: pytest.TempPathFactory, tell: Callable[[str], None], registry: Registry
) -> Iterator[Plane]:
    """The plane, with sidecars and definitions."""
    folder = tmp_path_factory.mktemp("plane")
    with control_plane(folder, image_check=registry.check, progress=tell) as plane:
        install_definitions(plane.api, progress=tell)
        inject_sidecars(plane.api)
        yield plane


@pytest.fixture
def rooms(plane: Plane, request: pytest.FixtureRequest) -> Iterator[Callable[..., Room]]:
    """Makes namespaces for a test, given their labels; afterwards they and all faults go."""
    made: list[Room] = []
    name = re.sub("[^a-z]+", "-", request.node.name.lower())[:40]

    def make(**labels: str) -> Room:
        made.append(Room(plane, f"{name}-{uuid.uuid4().hex[:6]}", labels))
        return made[-1]

    yield make
    plane.fates.set_faults()
    for room in made:
        plane.api.delete(f"api/v1/namespaces/{room.name}")


@pytest.fixture
def room(rooms: Callable[..., Room]) -> Room:
    """A namespace of the test's own."""
    return rooms()
