"""Tests the inputs of images, and building them."""

from pathlib import Path
from typing import Any

import pytest

from todo_release.adapters.git import Repository
from todo_release.artifacts import images
from todo_release.config.overrides import Overrides
from todo_release.errors import ConfigError, RegistryError, RepositoryError
from todo_release.pipeline.handlers.build import BuildHandler
from todo_release.pipeline.steps import BuildImage

from ..doubles.harness import Harness
from ..shop import Tree


def harness_with(tree: Tree, tmp_path: Path, overlay: str) -> Harness:
    """Returns a harness whose release.yaml has an overlay."""
    path = tmp_path / "overlay.yaml"
    path.write_text(overlay)
    return Harness(tree.path, Overrides(files=(path,)))


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
            "sets the build argument BUILD_ID, which the engine sets itself",
        ),
        ("images: {web: {inputs: [web, shared]}}", "shared/lib.py lies outside of the build context web"),
    ],
)
def test_inputs_that_cannot_make_an_image_are_refused(
    tree: Tree, tmp_path: Path, overlay: str, message: str
) -> None:
    """Wrong inputs are refused before anything is built, with what to correct."""
    harness = harness_with(tree, tmp_path, overlay)
    with pytest.raises(ConfigError, match=message):
        harness.session.plan_release("0.1.0")


def step(harness: Harness) -> BuildImage:
    """Returns the step of the plan that builds web."""
    build = next(step for step in harness.session.plan_release("0.1.0").steps if step.id == "build:web")
    assert isinstance(build, BuildImage)
    return build


def handler(harness: Harness) -> BuildHandler:
    """Returns the build handler of a harness."""
    return BuildHandler(Repository(harness.root), harness.config, harness.registry, lambda: harness.engine)  # type: ignore[arg-type,return-value]  # doubles


def test_inputs_that_change_after_the_plan_are_not_built(tree: Tree) -> None:
    """A file that changed after the plan stops the build, because the plan named other content."""
    harness = Harness(tree.path)
    planned = step(harness)
    tree.write({"web/index.js": "changed\n"})
    with pytest.raises(RepositoryError, match="inputs of web were changed while the release was running"):
        handler(harness).do(planned, lambda text, is_note=False: None)


def test_content_tag_that_holds_another_build_is_refused(tree: Tree) -> None:
    """A tag that somebody overwrote is refused, because it names another image."""
    harness = Harness(tree.path)
    planned = step(harness)

    def push(reference: str, *, on_line: object) -> str:
        harness.registry.digests[("shop/web", planned.tag)] = "sha256:other"
        harness.registry.build_ids["sha256:other"] = "other"
        return "sha256:other"

    harness.engine.push = push  # type: ignore[method-assign]  # replaced for the test
    with pytest.raises(RegistryError, match=r"holds another build \(other\)"):
        handler(harness).do(planned, lambda text, is_note=False: None)


def test_image_that_another_release_pushed_meanwhile_is_used(tree: Tree) -> None:
    """The first pushed digest of one content is kept, because another release may have committed it."""
    harness = Harness(tree.path)
    planned, said = step(harness), list[str]()
    build = harness.engine.build

    def race(*args: Any, **options: Any) -> None:
        build(*args, **options)
        harness.registry.digests[("shop/web", planned.tag)] = "sha256:theirs"
        harness.registry.build_ids["sha256:theirs"] = planned.content_id

    harness.engine.build = race  # type: ignore[method-assign]  # replaced for the test
    outcome = handler(harness).do(planned, lambda text, is_note=False: said.append(text))
    assert outcome["digest"] == "sha256:theirs"
    assert said[-1] == "somebody else pushed the same content meanwhile; using their image"
    assert harness.registry.digests[("shop/web", planned.tag)] == "sha256:theirs"


def test_find_image_references_needs_every_image(tree: Tree) -> None:
    """There are no references until all images are pushed, because digests of two releases would be mixed."""
    harness = Harness(tree.path)
    repository = Repository(tree.path)
    assert images.find_image_references(repository, harness.config, harness.registry) is None  # type: ignore[arg-type]  # a double
    harness.release("0.1.0")
    references = images.find_image_references(repository, harness.config, harness.registry)  # type: ignore[arg-type]  # a double
    assert references is not None
    assert {name: reference.digest for name, reference in references.items()} == harness.records(
        "staging"
    ).read()[0].digests
