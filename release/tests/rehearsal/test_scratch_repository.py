"""The scratch clone: all that would be released is in it, and nothing of it reaches the original."""

import subprocess
from pathlib import Path

import pytest

from todo_release.adapters.git import Repository
from todo_release.errors import CommandError
from todo_release.rehearsal.scratch_repository import Scratch, clone

from ..shop import Tree
from .repository_state import picture_of


@pytest.fixture
def scratch(tree: Tree, tmp_path: Path) -> Scratch:
    """A clone of the shop as it is committed."""
    return clone(Repository(tree.path), made(tmp_path / "scratch"), "main")


def made(folder: Path) -> Path:
    """A folder, made."""
    folder.mkdir()
    return folder


def test_clone_of_a_clean_tree_is_its_commit(tree: Tree, scratch: Scratch) -> None:
    """No commit is added, on the release branch, here and at the remote."""
    assert scratch.head == tree.git("rev-parse", "HEAD")
    assert scratch.extra == ()
    assert Repository(scratch.tree).branch() == "main"
    assert scratch.refs().split() == [scratch.head, "HEAD", scratch.head, "refs/heads/main"]


def test_clone_commits_what_is_not_committed_as_git_would(tree: Tree, tmp_path: Path) -> None:
    """Changed, new, deleted, linked, made a program, a folder that became a link; nothing that is ignored."""
    tree.write({"web/index.js": "changed\n", "docs/new guide.md": "new\n", "debug.log": "ignored\n"})
    (tree.path / "api/main.py").unlink()
    (tree.path / "web/Dockerfile").chmod(0o755)
    (tree.path / "latest").symlink_to("docs")
    (tree.path / "shared/lib.py").rename(tree.path / "lib.py")
    (tree.path / "shared").rmdir()
    (tree.path / "shared").symlink_to("api")
    before = picture_of(tree)
    cloned = clone(Repository(tree.path), made(tmp_path / "scratch"), "main")
    changes = Tree(cloned.tree).git("diff", "--summary", "--no-renames", "HEAD~", "HEAD").splitlines()
    assert [line.strip() for line in changes] == [
        "delete mode 100644 api/main.py",
        "create mode 100644 docs/new guide.md",
        "create mode 120000 latest",
        "create mode 100644 lib.py",
        "create mode 120000 shared",
        "delete mode 100644 shared/lib.py",
        "mode change 100644 => 100755 web/Dockerfile",
    ]
    assert (cloned.tree / "web/index.js").read_text() == "changed\n"
    assert (cloned.tree / "shared").readlink() == Path("api")
    assert not (cloned.tree / "debug.log").exists()
    assert set(cloned.extra) == set(Repository(tree.path).dirty())
    assert Repository(cloned.tree).dirty() == ()
    assert cloned.refs().split()[0] == cloned.head
    assert picture_of(tree) == before


def test_folder_that_became_a_file_is_one_in_the_clone(tree: Tree, tmp_path: Path) -> None:
    """And a file that became a folder is a folder."""
    for name in ("web/tests/index.test.js", "api/main.py"):
        (tree.path / name).unlink()
    (tree.path / "web/tests").rmdir()
    tree.write({"web/tests": "none\n", "api/main.py/part.py": "x = 1\n"})
    cloned = clone(Repository(tree.path), made(tmp_path / "scratch"), "main")
    assert (cloned.tree / "web/tests").read_text() == "none\n"
    assert (cloned.tree / "api/main.py/part.py").read_text() == "x = 1\n"


def test_file_that_was_staged_and_is_gone_is_no_hindrance(tree: Tree, tmp_path: Path) -> None:
    """It is dirty, but neither in the commit nor on disk."""
    tree.write({"draft.md": "x\n"})
    tree.git("add", "draft.md")
    (tree.path / "draft.md").unlink()
    cloned = clone(Repository(tree.path), made(tmp_path / "scratch"), "main")
    assert not (cloned.tree / "draft.md").exists()


def test_repository_inside_of_the_original_is_left_out(tree: Tree, tmp_path: Path) -> None:
    """Another checkout in a subfolder is none of the release's business."""
    inner = Tree(made(tree.path / "other"))
    inner.git("init", "--quiet")
    inner.commit("add", {"file": "x\n"})
    cloned = clone(Repository(tree.path), made(tmp_path / "scratch"), "main")
    assert cloned.extra == ()
    assert cloned.head == tree.git("rev-parse", "HEAD")


def test_detached_head_and_another_branch_become_the_release_branch(tree: Tree, tmp_path: Path) -> None:
    """CI checks out commits; what is checked out is what is rehearsed.

    * add (main)
    * more (HEAD)
    """
    tree.git("switch", "--quiet", "--detach")
    commit = tree.commit("more", {"web/index.js": "more\n"})
    cloned = clone(Repository(tree.path), made(tmp_path / "scratch"), "main")
    assert cloned.head == commit
    assert (cloned.tree / "web/index.js").read_text() == "more\n"
    assert cloned.refs().split()[-2:] == [commit, "refs/heads/main"]
    assert tree.git("rev-parse", "main") != commit


def test_work_tree_beside_the_repository_can_be_cloned(tree: Tree, tmp_path: Path) -> None:
    """`git worktree add` makes one whose `.git` is a file."""
    beside = Tree(tmp_path / "beside")
    tree.git("worktree", "add", "--quiet", "-b", "feature", str(beside.path))
    commit = beside.commit("feature", {"web/index.js": "feature\n"})
    beside.write({"web/index.js": "dirty\n"})
    cloned = clone(Repository(beside.path), made(tmp_path / "scratch"), "main")
    assert (cloned.tree / "web/index.js").read_text() == "dirty\n"
    assert Tree(cloned.tree).git("rev-parse", "HEAD~") == commit


def test_hooks_and_signatures_of_the_person_are_not_asked_for(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook that refuses every commit, and a key that nobody has."""
    hook = made(tmp_path / "hooks") / "pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f"[core]\nhooksPath = {hook.parent}\n[commit]\ngpgSign = true\n[gpg]\nprogram = false\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    tree.write({"web/index.js": "changed\n"})
    cloned = clone(Repository(tree.path), made(tmp_path / "scratch"), "main")
    assert cloned.extra == ("web/index.js",)


def test_folder_without_a_repository_cannot_be_cloned(tmp_path: Path) -> None:
    """Git says why."""
    with pytest.raises(CommandError, match="does not exist"):
        clone(Repository(made(tmp_path / "nothing")), made(tmp_path / "scratch"), "main")


def test_change_adds_a_line_to_each_file_and_pushes(tree: Tree, scratch: Scratch) -> None:
    """Every image that has one of them among its inputs is another one then."""
    commit = scratch.change(["web/Dockerfile", "api/Dockerfile"])
    assert (scratch.tree / "web/Dockerfile").read_text() == "FROM node:22\n# rehearsed\n"
    assert scratch.refs().split()[0] == commit == Repository(scratch.tree).head()
    assert scratch.change(["web/Dockerfile"]) != commit
    assert (tree.path / "web/Dockerfile").read_text() == "FROM node:22\n"


def test_check_out_moves_the_branch_here_and_at_the_remote(scratch: Scratch) -> None:
    """Back, and forth again."""
    changed = scratch.change(["web/Dockerfile"])
    scratch.check_out(scratch.head)
    assert scratch.refs().split()[0] == Repository(scratch.tree).head() == scratch.head
    scratch.check_out(changed)
    assert scratch.refs().split()[0] == changed
    assert Repository(scratch.tree).branch() == "main"


def test_forgotten_tag_is_gone_here_and_at_the_remote_and_stays_in_the_original(
    tree: Tree, tmp_path: Path
) -> None:
    """So that what was released last can be released anew from its commit."""
    tree.git("tag", "--annotate", "v1.0.0", "--message", "1.0.0")
    cloned = clone(Repository(tree.path), made(tmp_path / "scratch"), "main")
    assert "refs/tags/v1.0.0" in cloned.refs()
    cloned.forget_tag("v1.0.0")
    assert "refs/tags/v1.0.0" not in cloned.refs()
    assert Repository(cloned.tree).tags() == {}
    assert tree.git("tag", "--list") == "v1.0.0"


def test_shallow_original_gives_a_shallow_clone(tree: Tree, tmp_path: Path) -> None:
    """The release is then refused as it would be outside, with what to do about it."""
    tree.commit("more")
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{tree.path}", str(shallow)], check=True)
    cloned = clone(Repository(shallow), made(tmp_path / "scratch"), "main")
    assert Repository(cloned.tree).is_shallow()
