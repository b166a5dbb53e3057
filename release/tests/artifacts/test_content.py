"""Tests what changes a content id, and that the build context holds exactly what was hashed."""

import io
import tarfile

import pytest

from todo_release.adapters.git import Repository
from todo_release.artifacts import content
from todo_release.errors import ConfigError, RepositoryError

from ..shop import Tree


def id_of(tree: Tree, context: str = "web", **changed: object) -> str:
    """Returns the content id of the web image in the work tree."""
    files = content.hash_files(
        tree.path, Repository(tree.path).files(["web"], ["web/tests"]), context=context
    )
    options = {"dockerfile": "Dockerfile", "build_args": {"A": "1"}, "platform": "linux/amd64"} | changed
    return content.compute_content_id(files, **options)


def test_content_id_ignores_commits_tags_and_other_files(tree: Tree) -> None:
    """An empty commit, a tag, excluded tests and the order of arguments do not change the id."""
    before = id_of(tree, build_args={"A": "1", "B": "2"})
    tree.commit("empty")
    tree.git("tag", "v1.0.0")
    tree.write({"web/tests/index.test.js": "changed\n", "api/main.py": "changed\n"})
    assert id_of(tree, build_args={"B": "2", "A": "1"}) == before


@pytest.mark.parametrize(
    "change",
    [{"web/index.js": "changed\n"}, {"web/new.js": ""}, {"web/Dockerfile": "FROM node:24\n"}],
    ids=["dirty file", "untracked file", "Dockerfile"],
)
def test_content_id_covers_uncommitted_content(tree: Tree, change: dict[str, str]) -> None:
    """A dirty tree has another id than the clean one (chartpress#49)."""
    before = id_of(tree)
    tree.write(change)
    assert id_of(tree) != before


def test_content_id_covers_paths(tree: Tree) -> None:
    """The same bytes in another folder are another image (a known mistake in skaffold)."""
    tree.write({"web/a/x.js": "same\n"})
    before = id_of(tree)
    (tree.path / "web/b").mkdir()
    (tree.path / "web/a/x.js").rename(tree.path / "web/b/x.js")
    assert id_of(tree) != before


def test_content_id_covers_only_the_executable_bit_of_a_mode(tree: Tree) -> None:
    """As in git, the executable bit counts and the rest of the mode does not."""
    before = id_of(tree)
    (tree.path / "web/index.js").chmod(0o600)
    assert id_of(tree) == before
    (tree.path / "web/index.js").chmod(0o755)
    assert id_of(tree) != before


def test_content_id_covers_the_target_of_a_link(tree: Tree) -> None:
    """A link and a copy of its target are different images."""
    (tree.path / "web/link.js").symlink_to("index.js")
    linked = id_of(tree)
    (tree.path / "web/link.js").unlink()
    tree.write({"web/link.js": "hello\n"})
    assert id_of(tree) != linked


@pytest.mark.parametrize(
    "changed", [{"build_args": {"A": "2"}}, {"platform": "linux/arm64"}, {"dockerfile": "other"}]
)
def test_content_id_covers_build_arguments_platform_and_dockerfile(
    tree: Tree, changed: dict[str, object]
) -> None:
    """Everything besides the files that decides the image changes the id."""
    assert id_of(tree, **changed) != id_of(tree)


def test_hash_files_refuses_an_input_outside_of_the_context(tree: Tree) -> None:
    """An input that a Dockerfile cannot reach is refused, because the build could not contain it."""
    with pytest.raises(ConfigError, match=r"shared/lib\.py lies outside of the build context web"):
        content.hash_files(tree.path, ["shared/lib.py"], context="web")


def test_write_context_holds_exactly_the_hashed_files(tree: Tree) -> None:
    """The context has names relative to it, modes and links, but neither times nor owners."""
    (tree.path / "web/index.js").chmod(0o755)
    (tree.path / "web/link.js").symlink_to("index.js")
    files = content.hash_files(tree.path, Repository(tree.path).files(["web"], ["web/tests"]), context="web")
    target = io.BytesIO()
    content.write_context(tree.path, files, target)
    target.seek(0)
    with tarfile.open(fileobj=target) as tar:
        members = {member.name: (member.mode, member.linkname, member.mtime, member.uid) for member in tar}
        text = tar.extractfile("index.js")
        assert text is not None
        assert text.read() == b"hello\n"
    assert members == {
        "Dockerfile": (0o644, "", 0, 0),
        "index.js": (0o755, "", 0, 0),
        "link.js": (0o644, "index.js", 0, 0),
    }


def test_write_context_refuses_a_file_that_changed_after_hashing(tree: Tree) -> None:
    """A file that changed after hashing is refused, because the tag would name other content."""
    files = content.hash_files(tree.path, ["web/index.js"], context="web")
    tree.write({"web/index.js": "changed\n"})
    with pytest.raises(RepositoryError, match=r"web/index\.js was changed while"):
        content.write_context(tree.path, files, io.BytesIO())
