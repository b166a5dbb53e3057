"""The scratch repository: it has everything that would be released, and never changes the original."""

import subprocess
from pathlib import Path

import pytest

from todo_release.adapters.git import Repository
from todo_release.errors import CommandError
from todo_release.rehearsal.scratch_repository import ScratchRepository, clone

from ..shop import Tree
from .repository_state import repository_state


@pytest.fixture
def scratch(tree: Tree, tmp_path: Path) -> ScratchRepository:
    """Returns a clone of the shop without changes."""
    return clone(Repository(tree.path), created(tmp_path / "scratch"), "main")


def created(folder: Path) -> Path:
    """Creates a folder and returns it."""
    folder.mkdir()
    return folder


def test_clone_of_a_clean_tree_is_its_commit(tree: Tree, scratch: ScratchRepository) -> None:
    """A clone without uncommitted changes has the same commit, on the release branch and at the remote."""
    assert scratch.head == tree.git("rev-parse", "HEAD")
    assert scratch.uncommitted == ()
    assert Repository(scratch.tree).branch() == "main"
    assert scratch.refs().split() == [scratch.head, "HEAD", scratch.head, "refs/heads/main"]


def test_clone_commits_uncommitted_changes_as_git_would(tree: Tree, tmp_path: Path) -> None:
    """Changed, new, deleted, linked and executable files are committed, ignored files are not."""
    tree.write({"web/index.js": "changed\n", "docs/new guide.md": "new\n", "debug.log": "ignored\n"})
    (tree.path / "api/main.py").unlink()
    (tree.path / "web/Dockerfile").chmod(0o755)
    (tree.path / "latest").symlink_to("docs")
    (tree.path / "shared/lib.py").rename(tree.path / "lib.py")
    (tree.path / "shared").rmdir()
    (tree.path / "shared").symlink_to("api")
    before = repository_state(tree)
    cloned = clone(Repository(tree.path), created(tmp_path / "scratch"), "main")
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
    assert set(cloned.uncommitted) == set(Repository(tree.path).dirty())
    assert Repository(cloned.tree).dirty() == ()
    assert cloned.refs().split()[0] == cloned.head
    assert repository_state(tree) == before


def test_history_of_a_tag_is_merged_without_its_files(tree: Tree, tmp_path: Path) -> None:
    """The release branch contains the tag afterwards, and has the same files as before."""
    tree.git("switch", "--quiet", "--create", "side")
    tree.commit("other", {"web/index.js": "other\n"})
    tree.git("tag", "v1.0.0")
    tree.git("switch", "--quiet", "main")
    tree.commit("mine", {"web/mine.js": "mine\n"})
    cloned = clone(Repository(tree.path), created(tmp_path / "scratch"), "main")
    cloned.merge_history("v1.0.0")
    repository = Repository(cloned.tree)
    assert repository.tags(within="HEAD") == {"v1.0.0": tree.git("rev-parse", "v1.0.0")}
    assert repository.changed_between(cloned.head, repository.head(), [""]) == ()
    assert repository.remote_refs("origin").branches["main"] == repository.head()


def test_folder_that_became_a_file_is_a_file_in_the_clone(tree: Tree, tmp_path: Path) -> None:
    """A folder that became a file, and a file that became a folder, are so in the clone."""
    for name in ("web/tests/index.test.js", "api/main.py"):
        (tree.path / name).unlink()
    (tree.path / "web/tests").rmdir()
    tree.write({"web/tests": "none\n", "api/main.py/part.py": "x = 1\n"})
    cloned = clone(Repository(tree.path), created(tmp_path / "scratch"), "main")
    assert (cloned.tree / "web/tests").read_text() == "none\n"
    assert (cloned.tree / "api/main.py/part.py").read_text() == "x = 1\n"


def test_staged_file_that_was_deleted_is_left_out(tree: Tree, tmp_path: Path) -> None:
    """A staged file that is not on disk any more is not in the clone."""
    tree.write({"draft.md": "x\n"})
    tree.git("add", "draft.md")
    (tree.path / "draft.md").unlink()
    cloned = clone(Repository(tree.path), created(tmp_path / "scratch"), "main")
    assert not (cloned.tree / "draft.md").exists()


def test_nested_repository_is_left_out(tree: Tree, tmp_path: Path) -> None:
    """A repository in a subfolder is not in the clone."""
    inner = Tree(created(tree.path / "other"))
    inner.git("init", "--quiet")
    inner.commit("add", {"file": "x\n"})
    cloned = clone(Repository(tree.path), created(tmp_path / "scratch"), "main")
    assert cloned.uncommitted == ()
    assert cloned.head == tree.git("rev-parse", "HEAD")


def test_submodule_has_the_files_of_each_commit(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are those of the recorded commit, whichever is checked out, and nothing is dirty.

    * two (HEAD -> main)
    * one
    * add
    """
    for name, value in (("COUNT", "1"), ("KEY_0", "protocol.file.allow"), ("VALUE_0", "always")):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    proto = Tree(created(tmp_path / "proto"))
    proto.git("init", "--quiet", "--initial-branch=main")
    proto.commit("one", {"hello.proto": "1\n"})
    start = tree.git("rev-parse", "HEAD")
    tree.git("submodule", "--quiet", "add", str(proto.path), "web/proto")
    first = tree.commit("one")
    Tree(tree.path / "web/proto").commit("two", {"hello.proto": "2\n"})
    tree.commit("two")
    cloned = clone(Repository(tree.path), created(tmp_path / "scratch"), "main")
    file, repository = cloned.tree / "web/proto/hello.proto", Repository(cloned.tree)
    assert (file.read_text(), repository.dirty()) == ("2\n", ())
    cloned.check_out(first)
    assert (file.read_text(), repository.dirty()) == ("1\n", ())
    cloned.check_out(start)
    assert (file.exists(), repository.dirty()) == (False, ())
    cloned.check_out(cloned.head)
    assert (file.read_text(), repository.dirty()) == ("2\n", ())


def test_detached_head_and_another_branch_become_the_release_branch(tree: Tree, tmp_path: Path) -> None:
    """The checked-out commit is rehearsed as the release branch, as in CI.

    * add (main)
    * more (HEAD)
    """
    tree.git("switch", "--quiet", "--detach")
    commit = tree.commit("more", {"web/index.js": "more\n"})
    cloned = clone(Repository(tree.path), created(tmp_path / "scratch"), "main")
    assert cloned.head == commit
    assert (cloned.tree / "web/index.js").read_text() == "more\n"
    assert cloned.refs().split()[-2:] == [commit, "refs/heads/main"]
    assert tree.git("rev-parse", "main") != commit


def test_linked_work_tree_can_be_cloned(tree: Tree, tmp_path: Path) -> None:
    """A work tree of `git worktree add`, whose `.git` is a file, can be cloned."""
    beside = Tree(tmp_path / "beside")
    tree.git("worktree", "add", "--quiet", "-b", "feature", str(beside.path))
    commit = beside.commit("feature", {"web/index.js": "feature\n"})
    beside.write({"web/index.js": "dirty\n"})
    cloned = clone(Repository(beside.path), created(tmp_path / "scratch"), "main")
    assert (cloned.tree / "web/index.js").read_text() == "dirty\n"
    assert Tree(cloned.tree).git("rev-parse", "HEAD~") == commit


def test_hooks_and_signing_of_the_user_are_off(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clone commits despite the user's failing hook and signing program."""
    hook = created(tmp_path / "hooks") / "pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f"[core]\nhooksPath = {hook.parent}\n[commit]\ngpgSign = true\n[gpg]\nprogram = false\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    tree.write({"web/index.js": "changed\n"})
    cloned = clone(Repository(tree.path), created(tmp_path / "scratch"), "main")
    assert cloned.uncommitted == ("web/index.js",)


def test_folder_without_a_repository_cannot_be_cloned(tmp_path: Path) -> None:
    """Git's message is in the error."""
    with pytest.raises(CommandError, match="does not exist"):
        clone(Repository(created(tmp_path / "nothing")), created(tmp_path / "scratch"), "main")


def test_change_appends_a_line_to_each_file_and_pushes(tree: Tree, scratch: ScratchRepository) -> None:
    """Each change is a new pushed commit, and the original's files stay the same."""
    commit = scratch.change(["web/Dockerfile", "api/Dockerfile"])
    assert (scratch.tree / "web/Dockerfile").read_text() == "FROM node:22\n# rehearsed\n"
    assert scratch.refs().split()[0] == commit == Repository(scratch.tree).head()
    assert scratch.change(["web/Dockerfile"]) != commit
    assert (tree.path / "web/Dockerfile").read_text() == "FROM node:22\n"


def test_check_out_moves_the_branch_here_and_at_the_remote(scratch: ScratchRepository) -> None:
    """The branch can be moved to any commit, in the clone and at its remote."""
    changed = scratch.change(["web/Dockerfile"])
    scratch.check_out(scratch.head)
    assert scratch.refs().split()[0] == Repository(scratch.tree).head() == scratch.head
    scratch.check_out(changed)
    assert scratch.refs().split()[0] == changed
    assert Repository(scratch.tree).branch() == "main"


def test_deleted_tag_is_gone_except_in_the_original(tree: Tree, tmp_path: Path) -> None:
    """A deleted tag is gone in the clone and at its remote, and stays in the original."""
    tree.git("tag", "--annotate", "v1.0.0", "--message", "1.0.0")
    cloned = clone(Repository(tree.path), created(tmp_path / "scratch"), "main")
    assert "refs/tags/v1.0.0" in cloned.refs()
    cloned.delete_tag("v1.0.0")
    assert "refs/tags/v1.0.0" not in cloned.refs()
    assert Repository(cloned.tree).tags() == {}
    assert tree.git("tag", "--list") == "v1.0.0"


def test_shallow_original_gives_a_shallow_clone(tree: Tree, tmp_path: Path) -> None:
    """The clone of a shallow repository is shallow, so that the release is refused as in the original."""
    tree.commit("more")
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{tree.path}", str(shallow)], check=True)
    cloned = clone(Repository(shallow), created(tmp_path / "scratch"), "main")
    assert Repository(cloned.tree).is_shallow()
