"""The git adapter, against real repositories."""

import subprocess
from pathlib import Path

import pytest

from todo_release.adapters.git import Repository
from todo_release.errors import RepositoryError

from ..shop import Tree


def test_head_refuses_a_folder_without_a_repository(tmp_path: Path) -> None:
    """The error says what is missing instead of showing git's own message."""
    with pytest.raises(RepositoryError, match="not a git repository"):
        Repository(tmp_path).head()


def test_dirty_lists_changed_staged_deleted_and_untracked_paths(tree: Tree) -> None:
    """Ignored files are left out; names with spaces and umlauts are not quoted."""
    tree.write({"web/index.js": "changed\n", "neu ä.txt": "x", "noise.log": "x", "api/new.py": ""})
    tree.git("add", "api/new.py")
    (tree.path / "shared/lib.py").unlink()
    assert Repository(tree.path).dirty() == ("api/new.py", "neu ä.txt", "shared/lib.py", "web/index.js")


def test_files_are_tracked_or_untracked_but_existing_and_not_ignored(tree: Tree) -> None:
    """The files are those of the next commit if all were added; exclusions may be whole folders."""
    tree.write({"web/new.js": "", "web/noise.log": ""})
    (tree.path / "web/index.js").unlink()
    assert Repository(tree.path).files(["web"], ["web/tests"]) == ("web/Dockerfile", "web/new.js")


def test_files_follow_globs(tree: Tree) -> None:
    """`**` matches across folders and `*` does not."""
    assert Repository(tree.path).files(["**/Dockerfile"]) == ("api/Dockerfile", "web/Dockerfile")
    assert Repository(tree.path).files(["*.yaml"]) == ("release.yaml",)


def test_files_apply_an_exclusion_beside_a_single_include(tree: Tree) -> None:
    """An exclusion need not begin with the included folder."""
    assert Repository(tree.path).files(["web"], ["**/*.js"]) == ("web/Dockerfile",)


def test_changed_since_sees_commits_and_the_work_tree(tree: Tree) -> None:
    """A deleted file, one changed in a later commit and an untracked one all count.

    * change web (HEAD -> main)
    * add (tag: v1)
    """
    tree.git("tag", "v1")
    tree.commit("change web", {"web/index.js": "changed\n"})
    (tree.path / "web/Dockerfile").unlink()
    tree.write({"web/new.js": ""})
    changed = Repository(tree.path).changed_since("v1", ["web", "shared"], ["web/tests"])
    assert changed == ("web/Dockerfile", "web/index.js", "web/new.js")


def test_tags_resolve_annotated_tags_to_their_commit(tree: Tree) -> None:
    """Lightweight and annotated tags both give the commit, never the tag object."""
    repository = Repository(tree.path)
    head = repository.head()
    tree.git("tag", "light")
    repository.tag("v1.0.0", head, "Release v1.0.0")
    assert repository.tags() == {"light": head, "v1.0.0": head}
    assert tree.git("cat-file", "-t", "v1.0.0") == "tag"


def test_tag_refuses_a_name_that_exists(tree: Tree) -> None:
    """An existing tag is never moved."""
    tree.git("tag", "v1.0.0")
    with pytest.raises(RepositoryError, match=r"The tag v1\.0\.0 could not be created"):
        Repository(tree.path).tag("v1.0.0", "HEAD", "again")


def test_commit_contains_only_the_selected_paths(tree: Tree) -> None:
    """Other changes stay uncommitted, staged or not."""
    tree.write({"web/index.js": "a\n", "api/main.py": "b\n"})
    tree.git("add", "api/main.py")
    commit = Repository(tree.path).commit(["web/index.js"], "one")
    assert tree.git("show", "--name-only", "--format=%s", commit).split() == ["one", "web/index.js"]
    assert Repository(tree.path).dirty() == ("api/main.py",)


def test_export_writes_the_commit_and_not_the_work_tree(tree: Tree, tmp_path: Path) -> None:
    """A later change in the work tree is not exported."""
    head = Repository(tree.path).head()
    tree.write({"chart/Chart.yaml": "changed\n", "chart/new.yaml": ""})
    Repository(tree.path).export(head, ["chart"], tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out/chart").iterdir()) == ["Chart.yaml", "values.yaml"]
    assert "version: 0.0.0" in (tmp_path / "out/chart/Chart.yaml").read_text()


def test_export_and_text_refuse_paths_that_the_commit_lacks(tree: Tree, tmp_path: Path) -> None:
    """The error names the path, so that release.yaml can be corrected."""
    repository = Repository(tree.path)
    with pytest.raises(RepositoryError, match=r"nothing\.yaml"):
        repository.export("HEAD", ["nothing.yaml"], tmp_path)
    with pytest.raises(RepositoryError, match=r"has no file nothing\.yaml"):
        repository.text_at("HEAD", "nothing.yaml")


def exported(tree: Tree, folder: Path, *paths: str) -> dict[str, bytes]:
    """Returns the files that an export of the last commit writes, by path."""
    repository = Repository(tree.path)
    repository.export(repository.head(), paths, folder)
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_export_has_what_git_has_whatever_attributes_say(tree: Tree, tmp_path: Path) -> None:
    """`export-ignore`, `export-subst` and line ends must not make Helm's chart another one."""
    files = {"chart/.gitattributes": "a export-ignore\nb export-subst\nc text eol=crlf\n", "chart/a": "a\n"}
    tree.commit("attributes", files | {"chart/b": "$Format:%H$\n", "chart/c": "1\n2\n"})
    read = exported(tree, tmp_path / "out", "chart")
    assert (read["chart/a"], read["chart/b"], read["chart/c"]) == (b"a\n", b"$Format:%H$\n", b"1\n2\n")


def test_export_keeps_bytes_modes_and_names(tree: Tree, tmp_path: Path) -> None:
    """Files may be binary and executable; names need not be UTF-8."""
    name = b"chart/\xff".decode(errors="surrogateescape")
    (tree.path / name).write_bytes(b"\xff\x00\r\n")
    (tree.path / "chart/run").write_text("run")
    (tree.path / "chart/run").chmod(0o755)
    tree.commit("odd")
    assert exported(tree, tmp_path / "out", "chart")[name] == b"\xff\x00\r\n"
    assert (tmp_path / "out/chart/run").stat().st_mode & 0o111


def test_export_writes_what_links_lead_to(tree: Tree, tmp_path: Path) -> None:
    """Links to files and folders, out of the chart, of other links, and of the chart's own folder."""
    tree.write({"config/limits.yaml": "rate: 5\n", "config/more/deep.yaml": "deep\n"})
    links = {"chart/limits": "../config/limits.yaml", "chart/all": "../config", "chart/again": "./limits"}
    for path, target in (links | {"deploy": "chart"}).items():
        (tree.path / path).symlink_to(target)
    tree.commit("links")
    read = exported(tree, tmp_path / "out", "deploy")
    assert {path: data for path, data in read.items() if "yaml" not in path or "/all/" in path} == {
        "deploy/limits": b"rate: 5\n",
        "deploy/again": b"rate: 5\n",
        "deploy/all/limits.yaml": b"rate: 5\n",
        "deploy/all/more/deep.yaml": b"deep\n",
    }
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_symlink()]


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("../missing.yaml", r"link chart/link leads to \.\./missing\.yaml, which the commit"),
        ("/etc/hostname", "link chart/link leads to /etc/hostname, which the commit"),
        ("../../outside", "link chart/link leads to .*outside, which the commit"),
        ("link", "link chart/link leads to link, which the commit"),
        (".", r"link chart/link leads to \., which the commit"),
    ],
)
def test_export_refuses_links_that_the_commit_cannot_follow(
    tree: Tree, tmp_path: Path, target: str, problem: str
) -> None:
    """What lies beside the repository differs between machines; a circle has no end."""
    (tree.path / "chart/link").symlink_to(target)
    tree.commit("link")
    with pytest.raises(RepositoryError, match=problem):
        exported(tree, tmp_path / "out", "chart")


def test_export_refuses_submodules_and_pointers_of_lfs(tree: Tree, tmp_path: Path) -> None:
    """Git does not have the content, so Helm would get less than the work tree has."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    tree.commit("lfs", {"chart/large.json": pointer})
    with pytest.raises(RepositoryError, match=r"chart/large\.json is stored in Git LFS"):
        exported(tree, tmp_path / "lfs", "chart")
    tree.git("rm", "--quiet", "-f", "chart/large.json")
    tree.git(
        "update-index", "--add", "--cacheinfo", f"160000,{tree.git('rev-parse', 'HEAD')},chart/charts/common"
    )
    tree.git("commit", "--quiet", "--message", "submodule")
    with pytest.raises(RepositoryError, match="chart/charts/common is a git submodule"):
        exported(tree, tmp_path / "submodule", "chart")


def test_push_is_all_or_nothing(tree: Tree, remote: Tree, tmp_path: Path) -> None:
    """When the remote refuses the branch, it does not get the tag either.

    origin:  * theirs (main)      here:  * ours (HEAD -> main, tag: v1.0.0)
             * add                       * add
    """
    subprocess.run(["git", "clone", "--quiet", str(remote.path), str(tmp_path / "other")], check=True)
    other = Tree(tmp_path / "other")
    theirs = other.commit("theirs")
    other.git("push", "--quiet", "origin", "main")
    repository = Repository(tree.path)
    repository.tag("v1.0.0", tree.commit("ours"), "Release")
    with pytest.raises(RepositoryError, match=r"did not accept main and v1\.0\.0"):
        repository.push("origin", "main", "v1.0.0", repository.head())
    refs = repository.remote_refs("origin")
    assert (refs.branches, refs.tags) == ({"main": theirs}, {})
    assert not repository.is_ancestor(theirs, repository.head())


def test_push_sends_branch_and_tag(tree: Tree, remote: Tree) -> None:
    """The remote then has the commit under both names."""
    repository = Repository(tree.path)
    head = tree.commit("ours")
    repository.tag("v1.0.0", head, "Release")
    repository.push("origin", "main", "v1.0.0", repository.head())
    refs = repository.remote_refs("origin")
    assert (refs.branches, refs.tags) == ({"main": head}, {"v1.0.0": head})


def test_remote_refs_refuses_a_remote_that_does_not_answer(tree: Tree) -> None:
    """An unreachable remote is an error and not a remote without tags."""
    with pytest.raises(RepositoryError, match="'nowhere' does not answer"):
        Repository(tree.path).remote_refs("nowhere")


def test_branch_and_is_shallow_describe_the_clone(tree: Tree, tmp_path: Path) -> None:
    """A detached HEAD has no branch, and a clone of depth 1 is shallow."""
    tree.commit("second")
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", f"file://{tree.path}", str(tmp_path / "shallow")], check=True
    )
    shallow = Tree(tmp_path / "shallow")
    assert (Repository(tree.path).branch(), Repository(tree.path).is_shallow()) == ("main", False)
    shallow.git("switch", "--quiet", "--detach")
    assert (Repository(shallow.path).branch(), Repository(shallow.path).is_shallow()) == (None, True)


def test_author_refuses_an_unknown_name(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release commit needs a name, because the history says who released."""
    assert Repository(tree.path).author() == "Rita <rita@example.com>"
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "")
    monkeypatch.setenv("EMAIL", "")
    with pytest.raises(RepositoryError, match=r"user\.name"):
        Repository(tree.path).author()
