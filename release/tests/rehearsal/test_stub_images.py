"""Stand-ins of images: a real registry and the engine take them for images."""

import io
from collections.abc import Iterator
from inspect import signature
from pathlib import Path

import pytest

from todo_release.adapters.docker_engine import ContainerEngine, DockerEngine
from todo_release.adapters.git import Repository
from todo_release.adapters.registry.client import Registry
from todo_release.artifacts import images
from todo_release.config import loader
from todo_release.config.model import Config, RegistrySettings
from todo_release.config.overrides import Overrides
from todo_release.errors import RegistryError
from todo_release.pipeline.handlers.build import BuildHandler
from todo_release.pipeline.steps import BuildImage
from todo_release.rehearsal.stub_images import StandInEngine

from ..shop import Tree

PLATFORM = "linux/amd64"


@pytest.fixture
def here(tree: Tree, registry_host: str, tmp_path: Path) -> Config:
    """release.yaml of the shop, with a place of the test's own in the real registry."""
    place = f"{registry_host}/{tmp_path.name.replace('_', '-').lower()}"
    return loader.load(tree.path, Overrides(registry=place, is_insecure=True))


@pytest.fixture
def registry(registry_host: str) -> Iterator[Registry]:
    """The engine's view of that registry."""
    with Registry(registry_host, insecure=True) as made:
        yield made


def build(
    tree: Tree, here: Config, registry: Registry, engine: StandInEngine, name: str
) -> dict[str, object]:
    """Build an image the way a release does."""
    repository = Repository(tree.path)
    step = BuildImage(
        reason="a test",
        image=name,
        repository=here.registry.reference(name),
        content_id=images.read(repository, here, name).content_id,
    )
    handler = BuildHandler(repository, here, registry, lambda: engine)
    assert handler.check(step) is None
    outcome = handler.do(step, lambda text, is_note=False: None)
    assert handler.check(step) == {"digest": outcome["digest"]}
    return outcome


@pytest.mark.parametrize("engine", [StandInEngine, DockerEngine])
@pytest.mark.parametrize("method", ["build", "push"])
def test_engine_is_called_as_the_protocol_says(engine: type, method: str) -> None:
    """The stand-in and the real one take the same, by the same names."""
    wanted = signature(getattr(ContainerEngine, method)).parameters.values()
    found = signature(getattr(engine, method)).parameters.values()
    assert [(one.name, one.kind) for one in found] == [(one.name, one.kind) for one in wanted]


def test_stand_in_is_all_that_a_release_asks_of_an_image(
    tree: Tree, here: Config, registry: Registry
) -> None:
    """It has a digest, a size, the platform of the nodes, and the id of what it was built from."""
    engine = StandInEngine(here.registry)
    outcome = build(tree, here, registry, engine, "web")
    content_id = images.read(Repository(tree.path), here, "web").content_id
    found = registry.resolve(here.registry.path("web"), f"content-{content_id}", PLATFORM)
    assert found.digest == outcome["digest"]
    assert found.env == {"BUILD_ID": content_id}
    assert engine.pushed == {outcome["digest"]}


def test_other_content_is_another_image_and_the_same_content_the_same(
    tree: Tree, here: Config, registry: Registry
) -> None:
    """Digests name what was built, whoever built it."""
    first = build(tree, here, registry, StandInEngine(here.registry), "web")
    tree.write({"web/index.js": "changed\n"})
    second = build(tree, here, registry, StandInEngine(here.registry), "web")
    assert first["digest"] != second["digest"]
    engine = StandInEngine(here.registry)
    reference = f"{here.registry.reference('web')}:again"
    content_id = images.read(Repository(tree.path), here, "web").content_id
    engine.build(
        io.BytesIO(b"context"),
        dockerfile="Dockerfile",
        tags=[reference],
        build_args={"BUILD_ID": content_id},
        on_line=lambda line: None,
        platform=PLATFORM,
    )
    assert engine.push(reference, on_line=lambda line: None) == second["digest"]


def test_registry_that_is_away_is_named_with_what_to_do() -> None:
    """The error is a release's error."""
    settings = RegistrySettings(repository="127.0.0.1:1/shop", insecure=True)
    engine = StandInEngine(settings)
    engine.build(
        io.BytesIO(b""),
        dockerfile="Dockerfile",
        tags=["127.0.0.1:1/shop/web:x"],
        build_args={},
        on_line=lambda line: None,
        platform=PLATFORM,
    )
    with pytest.raises(RegistryError, match="The scratch registry did not take"):
        engine.push("127.0.0.1:1/shop/web:x", on_line=lambda line: None)
    assert engine.pushed == set()
