"""Tests that an image gets what git has: submodules, Git LFS, links, names; and what cannot be an input."""

import os
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest

from todo_release.adapters import process
from todo_release.adapters.git import Repository
from todo_release.artifacts import content, images
from todo_release.artifacts.images import ImageInputs
from todo_release.config.loader import load
from todo_release.config.overrides import Overrides
from todo_release.errors import ConfigError, RepositoryError

from ..doubles.harness import Harness
from ..shop import Tree

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"


def inputs(tree: Tree, name: str = "web", overlay: str | None = None) -> ImageInputs:
    """Returns the inputs of an image in the work tree."""
    overrides = None
    if overlay is not None:
        path = tree.path.parent / "overlay.yaml"
        path.write_text(overlay)
        overrides = Overrides(files=(path,))
    return images.read_image_inputs(Repository(tree.path), load(tree.path, overrides), name)


def paths(found: ImageInputs) -> list[str]:
    """Returns the paths of the inputs."""
    return [file.path for file in found.files]


@pytest.fixture
def proto(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Returns the submodule web/proto of the tree, as it is checked out there.

    * proto (HEAD -> main)
    * add
    """
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")  # git allows submodules from this machine only when told to
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.file.allow")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "always")
    origin = Tree(tmp_path / "proto")
    origin.path.mkdir()
    origin.git("init", "--quiet", "--initial-branch=main")
    origin.commit("one", {"hello.proto": "1\n", "doc/readme.md": "hello\n"})
    tree.git("submodule", "--quiet", "add", str(origin.path), "web/proto")
    tree.commit("proto")
    return Tree(tree.path / "web/proto")


def test_files_of_a_submodule_are_inputs(tree: Tree, proto: Tree) -> None:
    """The files of a submodule belong to the image, and another commit of it makes another image."""
    before = inputs(tree)
    assert {"web/proto/hello.proto", "web/proto/doc/readme.md"} < set(paths(before))
    proto.commit("two", {"hello.proto": "2\n"})
    assert inputs(tree).content_id != before.content_id


def test_pathspecs_reach_into_a_submodule(tree: Tree, proto: Tree) -> None:
    """A part of a submodule can be an input, and a part can be excluded."""
    overlay = "images: {web: {inputs: [web/Dockerfile, web/proto], exclude: [web/proto/doc]}}"
    assert paths(inputs(tree, overlay=overlay)) == ["web/Dockerfile", "web/proto/hello.proto"]
    overlay = "images: {web: {inputs: [web/Dockerfile, web/proto/doc]}}"
    assert paths(inputs(tree, overlay=overlay)) == ["web/Dockerfile", "web/proto/doc/readme.md"]


def test_submodule_that_is_not_checked_out_is_refused(tree: Tree, proto: Tree) -> None:
    """An image without files that git has is not built; the error names the command that gets them."""
    tree.git("submodule", "--quiet", "deinit", "--force", "web/proto")
    with pytest.raises(RepositoryError, match="web/proto of the image web is a submodule") as refused:
        inputs(tree)
    assert "git submodule update --init web/proto" in refused.value.remedy
    assert paths(inputs(tree, overlay="images: {web: {exclude: [web/tests, web/proto]}}"))


@pytest.mark.parametrize("ignore", ["none", "all"])
def test_submodule_at_another_commit_is_an_uncommitted_change(tree: Tree, proto: Tree, ignore: str) -> None:
    """A release is made from the recorded commit of a submodule, whatever `git status` is told to hide."""
    tree.git("config", "submodule.web/proto.ignore", ignore)
    proto.commit("two", {"hello.proto": "2\n"})
    with pytest.raises(RepositoryError, match="not committed: web/proto"):
        Harness(tree.path).release("0.1.0")


def test_changed_submodule_is_why_its_images_are_built_again(tree: Tree, proto: Tree) -> None:
    """The plan names the submodule, also when only a part of it is an input."""
    text = (tree.path / "release.yaml").read_text()
    tree.commit(
        "part", {"release.yaml": text.replace("inputs: [web]", "inputs: [web/Dockerfile, web/proto/doc]")}
    )
    harness = Harness(tree.path)
    harness.release("0.1.0")
    proto.commit("two", {"doc/readme.md": "changed\n"})
    tree.commit("proto: two")
    reasons = {step.id: step.reason for step in harness.session.plan_release("0.2.0").steps}
    assert reasons["build:web"] == "rebuilt: changed since the last release: web/proto"


def test_pointer_of_git_lfs_is_refused(tree: Tree) -> None:
    """A work tree that has only the pointer of a file makes an image without it."""
    tree.write({"web/model.bin": POINTER})
    with pytest.raises(RepositoryError, match=r"web/model\.bin is only the pointer of Git LFS") as refused:
        inputs(tree)
    assert "git lfs pull" in refused.value.remedy
    tree.write({"web/model.bin": POINTER + "x" * content.LFS_POINTER_BYTES})  # a long text about pointers
    assert "web/model.bin" in paths(inputs(tree))


@pytest.mark.parametrize("target", ["../shared/lib.py", "sub/../../shared", "../../etc"])
def test_link_out_of_the_build_context_is_refused(tree: Tree, target: str) -> None:
    """A link whose target the build does not get would lead nowhere in the image."""
    (tree.path / "web/link").symlink_to(target)
    with pytest.raises(
        ConfigError, match=rf"web/link is a link to {target}, outside of the build context web"
    ):
        inputs(tree)


@pytest.mark.parametrize("target", ["index.js", "tests/../index.js", "/dev/stdout", "nowhere"])
def test_other_links_stay_as_they_are(tree: Tree, target: str) -> None:
    """Links in the context, to folders of the image and to nothing are copied, as git has them."""
    (tree.path / "web/link").symlink_to(target)
    assert "web/link" in paths(inputs(tree))


def test_name_that_is_not_utf8_is_refused_in_one_sentence(tree: Tree) -> None:
    """Such a name was left out in silence; it can be excluded."""
    name = os.fsdecode(os.fsencode(tree.path) + b"/web/caf\xe9.txt")
    Path(name).write_text("hello\n")
    with pytest.raises(ConfigError, match=r"The name of the input web/caf\\xe9\.txt is not UTF-8") as refused:
        inputs(tree)
    str(refused.value).encode()
    assert paths(inputs(tree, overlay="images: {web: {exclude: ['web/caf*']}}"))


@dataclass(frozen=True)
class Edited:
    """A file that a release edits, and the input that contains it."""

    inputs: str
    found: str


@pytest.mark.parametrize(
    "edited",
    [
        Edited("**", "chart/Chart.yaml, chart/values.yaml, changelog.d"),
        Edited("chart/values.yaml", "chart/values.yaml"),
        Edited("changelog.d", "changelog.d"),
    ],
)
def test_input_that_the_release_edits_is_refused(tree: Tree, edited: Edited) -> None:
    """Its image would be another one after every release, so it is refused before anything is built."""
    tree.commit("news", {"changelog.d/shop.added.md": "A shop.\n"})
    overlay = f"changelog: {{}}\nimages: {{api: {{inputs: [api, '{edited.inputs}']}}}}"
    with pytest.raises(
        ConfigError, match=f"image api contain what the release itself edits: {edited.found}"
    ) as no:
        inputs(tree, "api", overlay)
    assert "`images.api.exclude`" in no.value.remedy


def test_whole_repository_is_an_image_without_what_the_release_edits(tree: Tree) -> None:
    """`COPY . .` works once these files are excluded; a second release builds nothing."""
    text = (
        (tree.path / "release.yaml")
        .read_text()
        .replace(
            "inputs: [shared, api]", 'inputs: ["**"]\n    exclude: [chart/Chart.yaml, chart/values.yaml]'
        )
    )
    tree.commit("all", {"release.yaml": text})
    harness = Harness(tree.path)
    harness.release("0.1.0")
    harness.release("0.2.0")
    assert harness.engine.built == ["web", "api"]


def test_folder_of_the_engine_is_no_input(tree: Tree) -> None:
    """Journals and evidence are left out, also where git does not ignore them."""
    tree.commit("all", {".gitignore": ""})
    before = inputs(tree, "api", "images: {api: {inputs: ['**'], exclude: [chart]}}")
    tree.write({".release/0.1.0/journal.jsonl": "{}\n"})
    assert inputs(tree, "api", "images: {api: {inputs: ['**'], exclude: [chart]}}") == before


def test_unchanged_file_is_hashed_once(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that several images have, or that is asked for again, is read once; a changed one again."""
    monkeypatch.setattr(content, "RACY_NANOSECONDS", 0)
    with patch.object(content, "_read", wraps=content._read) as read:
        for _ in range(2):
            content.hash_files(tree.path, ["web/index.js"], context="web")
        assert read.call_count == 1
        tree.write({"web/index.js": "HELLO\n"})
        content.hash_files(tree.path, ["web/index.js"], context="web")
        assert read.call_count == 2


def test_all_inputs_are_listed_by_one_git_process(tree: Tree) -> None:
    """However many images there are, git lists the files once."""
    with patch.object(process, "run", wraps=process.run) as run:
        assert set(images.read_all_inputs(Repository(tree.path), load(tree.path))) == {"web", "api"}
    assert run.call_count == 1
