"""What changes a content id, what does not, and that the build context is what was hashed."""

import io
import tarfile

import pytest

from todo_release.adapters.git import Repository
from todo_release.artifacts import content
from todo_release.errors import ConfigError, RepositoryError

from ..shop import Tree


def identity(tree: Tree, context: str = "web", **changed: object) -> str:
    """Content id of the web image as the tree stands."""
    files = content.read_inputs(
        tree.path, Repository(tree.path).files(["web"], ["web/tests"]), context=context
    )
    options = {"dockerfile": "Dockerfile", "build_args": {"A": "1"}, "platform": "linux/amd64"} | changed
    return content.content_id(files, **options)


def test_empty_commits_tags_and_other_files_change_nothing(tree: Tree) -> None:
    """Only content counts: not the commit, not the tag, not excluded tests, not the order of arguments."""
    before = identity(tree, build_args={"A": "1", "B": "2"})
    tree.commit("empty")
    tree.git("tag", "v1.0.0")
    tree.write({"web/tests/index.test.js": "changed\n", "api/main.py": "changed\n"})
    assert identity(tree, build_args={"B": "2", "A": "1"}) == before


@pytest.mark.parametrize(
    "change",
    [{"web/index.js": "changed\n"}, {"web/new.js": ""}, {"web/Dockerfile": "FROM node:24\n"}],
    ids=["dirty file", "untracked file", "Dockerfile"],
)
def test_content_that_is_not_committed_changes_it(tree: Tree, change: dict[str, str]) -> None:
    """A dirty tree never passes for the clean one (chartpress#49)."""
    before = identity(tree)
    tree.write(change)
    assert identity(tree) != before


def test_moved_file_changes_it(tree: Tree) -> None:
    """The same bytes in the same order under another folder are another image (a trap in skaffold)."""
    tree.write({"web/a/x.js": "same\n"})
    before = identity(tree)
    (tree.path / "web/b").mkdir()
    (tree.path / "web/a/x.js").rename(tree.path / "web/b/x.js")
    assert identity(tree) != before


def test_executable_bit_changes_it_and_other_modes_do_not(tree: Tree) -> None:
    """Like git: a umask is no content."""
    before = identity(tree)
    (tree.path / "web/index.js").chmod(0o600)
    assert identity(tree) == before
    (tree.path / "web/index.js").chmod(0o755)
    assert identity(tree) != before


def test_link_is_where_it_points_and_not_what_is_there(tree: Tree) -> None:
    """A link and a copy of its target are different images."""
    (tree.path / "web/link.js").symlink_to("index.js")
    linked = identity(tree)
    (tree.path / "web/link.js").unlink()
    tree.write({"web/link.js": "hello\n"})
    assert identity(tree) != linked


@pytest.mark.parametrize(
    "changed", [{"build_args": {"A": "2"}}, {"platform": "linux/arm64"}, {"dockerfile": "other"}]
)
def test_build_arguments_platform_and_dockerfile_name_change_it(
    tree: Tree, changed: dict[str, object]
) -> None:
    """All that decides the image besides the files."""
    assert identity(tree, **changed) != identity(tree)


def test_input_outside_of_the_context_is_refused(tree: Tree) -> None:
    """A Dockerfile could not reach it; hashing it would promise what the build cannot hold."""
    with pytest.raises(ConfigError, match=r"shared/lib\.py lies outside of the build context web"):
        content.read_inputs(tree.path, ["shared/lib.py"], context="web")


def test_write_context_holds_exactly_the_hashed_files(tree: Tree) -> None:
    """Names relative to the context, modes, links; neither times nor owners."""
    (tree.path / "web/index.js").chmod(0o755)
    (tree.path / "web/link.js").symlink_to("index.js")
    files = content.read_inputs(tree.path, Repository(tree.path).files(["web"], ["web/tests"]), context="web")
    target = io.BytesIO()
    content.write_context(tree.path, files, target)
    target.seek(0)
    with tarfile.open(fileobj=target) as tar:
        found = {member.name: (member.mode, member.linkname, member.mtime, member.uid) for member in tar}
        text = tar.extractfile("index.js")
        assert text is not None
        assert text.read() == b"hello\n"
    assert found == {
        "Dockerfile": (0o644, "", 0, 0),
        "index.js": (0o755, "", 0, 0),
        "link.js": (0o644, "index.js", 0, 0),
    }


def test_write_context_refuses_a_file_that_changed_after_hashing(tree: Tree) -> None:
    """Else the tag would promise one content and the image hold another."""
    files = content.read_inputs(tree.path, ["web/index.js"], context="web")
    tree.write({"web/index.js": "changed\n"})
    with pytest.raises(RepositoryError, match=r"web/index\.js was changed while"):
        content.write_context(tree.path, files, io.BytesIO())
