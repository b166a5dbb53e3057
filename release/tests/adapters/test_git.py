"""The git adapter, on real repositories."""

import subprocess
from pathlib import Path

import pytest

from todo_release.adapters.git import Repository
from todo_release.errors import RepositoryError

from ..shop import Tree


def test_head_refuses_a_folder_that_is_no_repository(tmp_path: Path) -> None:
    """The remedy is to clone, not a traceback of git."""
    with pytest.raises(RepositoryError, match="no git repository"):
        Repository(tmp_path).head()


def test_dirty_lists_changed_staged_deleted_and_untracked_paths(tree: Tree) -> None:
    """Ignored files are not dirt; names with spaces and umlauts come whole."""
    tree.write({"web/index.js": "changed\n", "neu ä.txt": "x", "noise.log": "x", "api/new.py": ""})
    tree.git("add", "api/new.py")
    (tree.path / "shared/lib.py").unlink()
    assert Repository(tree.path).dirty() == ("api/new.py", "neu ä.txt", "shared/lib.py", "web/index.js")


def test_files_are_tracked_or_untracked_but_existing_and_not_ignored(tree: Tree) -> None:
    """What would be in the next commit if all were added; exclusions take out whole folders."""
    tree.write({"web/new.js": "", "web/noise.log": ""})
    (tree.path / "web/index.js").unlink()
    assert Repository(tree.path).files(["web"], ["web/tests"]) == ("web/Dockerfile", "web/new.js")


def test_files_follow_globs(tree: Tree) -> None:
    """`**` crosses folders and `*` does not."""
    assert Repository(tree.path).files(["**/Dockerfile"]) == ("api/Dockerfile", "web/Dockerfile")
    assert Repository(tree.path).files(["*.yaml"]) == ("release.yaml",)


def test_files_heed_an_exclusion_beside_a_single_include(tree: Tree) -> None:
    """An exclusion need not begin with the folder that is included."""
    assert Repository(tree.path).files(["web"], ["**/*.js"]) == ("web/Dockerfile",)


def test_changed_since_sees_commits_and_the_work_tree(tree: Tree) -> None:
    """A released file that is gone, one changed later, and one nobody added yet.

    * change web (HEAD -> main)
    * add (tag: v1)
    """
    tree.git("tag", "v1")
    tree.commit("change web", {"web/index.js": "changed\n"})
    (tree.path / "web/Dockerfile").unlink()
    tree.write({"web/new.js": ""})
    found = Repository(tree.path).changed_since("v1", ["web", "shared"], ["web/tests"])
    assert found == ("web/Dockerfile", "web/index.js", "web/new.js")


def test_tags_resolve_annotated_tags_to_their_commit(tree: Tree) -> None:
    """Both kinds of tag name the commit, never the tag object."""
    repository = Repository(tree.path)
    head = repository.head()
    tree.git("tag", "light")
    repository.tag("v1.0.0", head, "Release v1.0.0")
    assert repository.tags() == {"light": head, "v1.0.0": head}
    assert tree.git("cat-file", "-t", "v1.0.0") == "tag"


def test_tag_that_exists_is_refused(tree: Tree) -> None:
    """A tag never moves."""
    tree.git("tag", "v1.0.0")
    with pytest.raises(RepositoryError, match=r"The tag v1\.0\.0 could not be made"):
        Repository(tree.path).tag("v1.0.0", "HEAD", "again")


def test_commit_takes_only_the_paths_it_was_given(tree: Tree) -> None:
    """Other changes stay where they are, staged or not."""
    tree.write({"web/index.js": "a\n", "api/main.py": "b\n"})
    tree.git("add", "api/main.py")
    commit = Repository(tree.path).commit(["web/index.js"], "one")
    assert tree.git("show", "--name-only", "--format=%s", commit).split() == ["one", "web/index.js"]
    assert Repository(tree.path).dirty() == ("api/main.py",)


def test_export_writes_the_commit_and_not_the_work_tree(tree: Tree, tmp_path: Path) -> None:
    """A change made later is not deployed with the version."""
    head = Repository(tree.path).head()
    tree.write({"chart/Chart.yaml": "changed\n", "chart/new.yaml": ""})
    Repository(tree.path).export(head, ["chart"], tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out/chart").iterdir()) == ["Chart.yaml", "values.yaml"]
    assert "version: 0.0.0" in (tmp_path / "out/chart/Chart.yaml").read_text()


def test_export_and_text_refuse_paths_the_commit_lacks(tree: Tree, tmp_path: Path) -> None:
    """The path is named, so that release.yaml can be corrected."""
    repository = Repository(tree.path)
    with pytest.raises(RepositoryError, match=r"nothing\.yaml"):
        repository.export("HEAD", ["nothing.yaml"], tmp_path)
    with pytest.raises(RepositoryError, match=r"has no file nothing\.yaml"):
        repository.text_at("HEAD", "nothing.yaml")


def test_push_is_all_or_nothing(tree: Tree, remote: Tree, tmp_path: Path) -> None:
    """When the branch moved on at the remote, the tag does not arrive either.

    origin:  * theirs (main)      here:  * ours (HEAD -> main, tag: v1.0.0)
             * add                       * add
    """
    subprocess.run(["git", "clone", "--quiet", str(remote.path), str(tmp_path / "other")], check=True)
    other = Tree(tmp_path / "other")
    theirs = other.commit("theirs")
    other.git("push", "--quiet", "origin", "main")
    repository = Repository(tree.path)
    repository.tag("v1.0.0", tree.commit("ours"), "Release")
    with pytest.raises(RepositoryError, match=r"did not take main and v1\.0\.0"):
        repository.push("origin", "main", "v1.0.0")
    refs = repository.remote_refs("origin")
    assert (refs.branches, refs.tags) == ({"main": theirs}, {})
    assert not repository.is_ancestor(theirs, repository.head())


def test_push_brings_branch_and_tag(tree: Tree, remote: Tree) -> None:
    """The remote then has the commit under both names."""
    repository = Repository(tree.path)
    head = tree.commit("ours")
    repository.tag("v1.0.0", head, "Release")
    repository.push("origin", "main", "v1.0.0")
    refs = repository.remote_refs("origin")
    assert (refs.branches, refs.tags) == ({"main": head}, {"v1.0.0": head})


def test_remote_that_does_not_answer_is_an_error(tree: Tree) -> None:
    """An unreachable remote must not look like one without tags."""
    with pytest.raises(RepositoryError, match="'nowhere' does not answer"):
        Repository(tree.path).remote_refs("nowhere")


def test_branch_and_shallowness(tree: Tree, tmp_path: Path) -> None:
    """A detached HEAD has no branch; a clone of depth 1 knows that history was cut off."""
    tree.commit("second")
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", f"file://{tree.path}", str(tmp_path / "shallow")], check=True
    )
    shallow = Tree(tmp_path / "shallow")
    assert (Repository(tree.path).branch(), Repository(tree.path).is_shallow()) == ("main", False)
    shallow.git("switch", "--quiet", "--detach")
    assert (Repository(shallow.path).branch(), Repository(shallow.path).is_shallow()) == (None, True)


def test_author_must_be_known(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """The history says who released, so nobody releases without a name."""
    assert Repository(tree.path).author() == "Rita <rita@example.com>"
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "")
    monkeypatch.setenv("EMAIL", "")
    with pytest.raises(RepositoryError, match=r"user\.name"):
        Repository(tree.path).author()
