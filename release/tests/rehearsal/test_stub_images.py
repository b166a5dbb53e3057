"""Stub images: a real registry and the engine accept them as images."""

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
from todo_release.rehearsal.stub_images import StubImageEngine

from ..shop import Tree

PLATFORM = "linux/amd64"


@pytest.fixture
def here(tree: Tree, registry_host: str, tmp_path: Path) -> Config:
    """Returns the shop's configuration, with a path of the test's own in the real registry."""
    place = f"{registry_host}/{tmp_path.name.replace('_', '-').lower()}"
    return loader.load(tree.path, Overrides(registry=place, is_insecure=True))


@pytest.fixture
def registry(registry_host: str) -> Iterator[Registry]:
    """Returns the engine's client of that registry."""
    with Registry(registry_host, insecure=True) as client:
        yield client


def build(
    tree: Tree, here: Config, registry: Registry, engine: StubImageEngine, name: str
) -> dict[str, object]:
    """Builds an image as a release does."""
    repository = Repository(tree.path)
    step = BuildImage(
        reason="a test",
        image=name,
        repository=here.registry.reference(name),
        content_id=images.read_image_inputs(repository, here, name).content_id,
    )
    handler = BuildHandler(repository, here, registry, lambda: engine)
    assert handler.check(step) is None
    outcome = handler.do(step, lambda text, is_note=False: None)
    assert handler.check(step) == {"digest": outcome["digest"]}
    return outcome


@pytest.mark.parametrize("engine", [StubImageEngine, DockerEngine])
@pytest.mark.parametrize("method", ["build", "push"])
def test_engine_is_called_as_the_protocol_says(engine: type, method: str) -> None:
    """The stub and the real engine have the parameters of the protocol."""
    expected = signature(getattr(ContainerEngine, method)).parameters.values()
    actual = signature(getattr(engine, method)).parameters.values()
    assert [(item.name, item.kind) for item in actual] == [(item.name, item.kind) for item in expected]


def test_stub_image_has_what_a_release_reads(tree: Tree, here: Config, registry: Registry) -> None:
    """A stub image has a digest, the platform of the nodes, and the content id."""
    engine = StubImageEngine(here.registry)
    outcome = build(tree, here, registry, engine, "web")
    content_id = images.read_image_inputs(Repository(tree.path), here, "web").content_id
    image = registry.resolve(here.registry.path("web"), f"content-{content_id}", PLATFORM)
    assert image.digest == outcome["digest"]
    assert image.env == {"BUILD_ID": content_id}
    assert engine.pushed == {outcome["digest"]}


def test_other_content_is_another_image_and_the_same_content_the_same(
    tree: Tree, here: Config, registry: Registry
) -> None:
    """The digest depends only on the content, not on who built it."""
    first = build(tree, here, registry, StubImageEngine(here.registry), "web")
    tree.write({"web/index.js": "changed\n"})
    second = build(tree, here, registry, StubImageEngine(here.registry), "web")
    assert first["digest"] != second["digest"]
    engine = StubImageEngine(here.registry)
    reference = f"{here.registry.reference('web')}:again"
    content_id = images.read_image_inputs(Repository(tree.path), here, "web").content_id
    engine.build(
        io.BytesIO(b"context"),
        dockerfile="Dockerfile",
        tags=[reference],
        build_args={"BUILD_ID": content_id},
        on_line=lambda line: None,
        platform=PLATFORM,
    )
    assert engine.push(reference, on_line=lambda line: None) == second["digest"]


def test_unreachable_registry_is_a_registry_error() -> None:
    """A push to an unreachable registry is a RegistryError, and nothing counts as pushed."""
    settings = RegistrySettings(repository="127.0.0.1:1/shop", insecure=True)
    engine = StubImageEngine(settings)
    engine.build(
        io.BytesIO(b""),
        dockerfile="Dockerfile",
        tags=["127.0.0.1:1/shop/web:x"],
        build_args={},
        on_line=lambda line: None,
        platform=PLATFORM,
    )
    with pytest.raises(RegistryError, match="The sandbox's registry refused"):
        engine.push("127.0.0.1:1/shop/web:x", on_line=lambda line: None)
    assert engine.pushed == set()
