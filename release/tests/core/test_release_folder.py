"""The folder of the engine keeps itself out of git."""

from pathlib import Path

from todo_release.core import release_folder

from ..shop import Tree


def test_folder_ignores_itself(tree: Tree) -> None:
    """After the first use git sees nothing of it, although no .gitignore of the repository names it."""
    folder = release_folder.create(tree.path / ".release/0.1.0/evidence")
    (folder / "README.md").write_text("why\n")
    assert tree.git("status", "--porcelain") == ""
    assert release_folder.create(folder) == folder


def test_own_rules_of_a_person_are_kept(tree: Tree) -> None:
    """A .gitignore that exists already is left as it is."""
    (tree.path / ".release").mkdir()
    (tree.path / ".release/.gitignore").write_text("*.log\n")
    release_folder.create(tree.path / ".release/0.1.0")
    assert (tree.path / ".release/.gitignore").read_text() == "*.log\n"


def test_folder_elsewhere_gets_no_rules(tmp_path: Path) -> None:
    """Evidence that is kept outside `.release` is nobody's to ignore."""
    release_folder.create(tmp_path / "evidence")
    assert list((tmp_path / "evidence").iterdir()) == []
