"""Images: what each is made of, and building it."""

from pathlib import Path
from typing import Any

import pytest

from todo_release.adapters.git import Repository
from todo_release.artifacts import images
from todo_release.config.overrides import Overrides
from todo_release.errors import ConfigError, RegistryError, RepositoryError
from todo_release.pipeline.handlers.build import BuildHandler
from todo_release.pipeline.steps import BuildImage

from ..doubles.world import World
from ..shop import Tree


def world_with(tree: Tree, tmp_path: Path, overlay: str) -> World:
    """The shop, with something else in release.yaml."""
    path = tmp_path / "overlay.yaml"
    path.write_text(overlay)
    return World(tree.path, Overrides(files=(path,)))


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ("images: {web: {inputs: [web, nothing]}}", "The input 'nothing' of the image web matches no file"),
        (
            "images: {web: {dockerfile: web/Dockerfil}}",
            "'web/Dockerfil' of the image web is not among its inputs",
        ),
        (
            "images: {web: {build_args: {BUILD_ID: x}}}",
            "sets the build argument BUILD_ID, which the engine gives",
        ),
        ("images: {web: {inputs: [web, shared]}}", "shared/lib.py lies outside of the build context web"),
    ],
)
def test_inputs_that_cannot_make_an_image_are_refused(
    tree: Tree, tmp_path: Path, overlay: str, message: str
) -> None:
    """Before anything is built, with what to correct."""
    world = world_with(tree, tmp_path, overlay)
    with pytest.raises(ConfigError, match=message):
        world.session.release("0.1.0")


def step(world: World) -> BuildImage:
    """The build of web as the plan has it."""
    found = next(step for step in world.session.release("0.1.0").steps if step.id == "build:web")
    assert isinstance(found, BuildImage)
    return found


def handler(world: World) -> BuildHandler:
    """The builder of that world."""
    return BuildHandler(Repository(world.root), world.config, world.registry, lambda: world.engine)  # type: ignore[arg-type,return-value]  # doubles


def test_inputs_that_change_after_the_plan_are_not_built(tree: Tree) -> None:
    """The plan promised another content."""
    world = World(tree.path)
    planned = step(world)
    tree.write({"web/index.js": "changed\n"})
    with pytest.raises(RepositoryError, match="inputs of web were changed while the release was running"):
        handler(world).do(planned, lambda text, is_note=False: None)


def test_content_tag_that_holds_another_build_is_refused(tree: Tree) -> None:
    """Somebody pushed over it; trusting the tag would run something else."""
    world = World(tree.path)
    planned = step(world)

    def push(reference: str, *, on_line: object) -> str:
        world.registry.digests[("shop/web", planned.tag)] = "sha256:other"
        world.registry.build_ids["sha256:other"] = "other"
        return "sha256:other"

    world.engine.push = push  # type: ignore[method-assign]
    with pytest.raises(RegistryError, match=r"holds another build \(other\)"):
        handler(world).do(planned, lambda text, is_note=False: None)


def test_image_that_somebody_else_pushed_meanwhile_is_taken(tree: Tree) -> None:
    """Two builds of one content have two digests; the other release may have committed its own."""
    world = World(tree.path)
    planned, said = step(world), list[str]()
    build = world.engine.build

    def race(*given: Any, **named: Any) -> None:
        build(*given, **named)
        world.registry.digests[("shop/web", planned.tag)] = "sha256:theirs"
        world.registry.build_ids["sha256:theirs"] = planned.content_id

    world.engine.build = race  # type: ignore[method-assign]
    outcome = handler(world).do(planned, lambda text, is_note=False: said.append(text))
    assert outcome["digest"] == "sha256:theirs"
    assert said[-1] == "somebody else pushed the same content meanwhile; theirs is taken"
    assert world.registry.digests[("shop/web", planned.tag)] == "sha256:theirs"


def test_references_wait_for_every_image(tree: Tree) -> None:
    """A values file with some digests of this release and some of the last would be neither."""
    world = World(tree.path)
    repository = Repository(tree.path)
    assert images.references(repository, world.config, world.registry) is None  # type: ignore[arg-type]  # a double
    world.release("0.1.0")
    found = images.references(repository, world.config, world.registry)  # type: ignore[arg-type]  # a double
    assert found is not None
    assert {name: reference.digest for name, reference in found.items()} == world.records("staging").read()[
        0
    ].digests
