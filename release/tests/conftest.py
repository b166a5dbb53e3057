"""The application of `shop`, in a git repository of its own."""

import subprocess
from pathlib import Path

import pytest

from .shop import FILES, Tree


@pytest.fixture(autouse=True)
def _own_git_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests neither read nor need the settings of whoever runs them."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Rita")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "rita@example.com")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """The application in one commit on main, never released.

    * add (HEAD -> main)
    """
    made = Tree(tmp_path / "shop")
    made.path.mkdir()
    made.git("init", "--quiet", "--initial-branch=main")
    made.commit("add", FILES)
    return made


@pytest.fixture
def remote(tree: Tree, tmp_path: Path) -> Tree:
    """A bare repository that the tree calls origin and has pushed main to.

    * add (HEAD -> main, origin/main)
    """
    path = tmp_path / "remote.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(tree.path), str(path)], check=True)
    tree.git("remote", "add", "origin", str(path))
    tree.git("fetch", "--quiet", "origin")
    return Tree(path)
