"""Fixtures that most tests use: the application of `shop` in a git repository, and an API server."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from todo_release.adapters.kubernetes import transport
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.transport import ClientConnection

from .doubles.harness import Harness
from .doubles.kubernetes_api import ApiDouble, serve
from .shop import FILES, GIT_SETTINGS, Tree


@pytest.fixture(autouse=True)
def _own_git_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides the git settings of the person who runs the tests."""
    for name, value in GIT_SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def without_git_author(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the author that git would use, as on a new machine; git must not guess one."""
    for name in GIT_SETTINGS:
        if name.startswith(("GIT_AUTHOR_", "GIT_COMMITTER_")):
            monkeypatch.delenv(name)
    settings = {"COUNT": "1", "KEY_0": "user.useConfigOnly", "VALUE_0": "true"}
    for name, value in settings.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Returns a repository with the application in one commit on main, never released.

    * add (HEAD -> main)
    """
    tree = Tree(tmp_path / "shop")
    tree.path.mkdir()
    tree.git("init", "--quiet", "--initial-branch=main")
    tree.commit("add", FILES)
    return tree


@pytest.fixture
def harness(tree: Tree) -> Harness:
    """Returns a harness in which nothing was released."""
    return Harness(tree.path)


@pytest.fixture
def remote(tree: Tree, tmp_path: Path) -> Tree:
    """Returns a bare repository that the tree calls origin and has pushed main to.

    * add (HEAD -> main, origin/main)
    """
    path = tmp_path / "remote.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(tree.path), str(path)], check=True)
    tree.git("remote", "add", "origin", str(path))
    tree.git("fetch", "--quiet", "origin")
    return Tree(path)


@pytest.fixture
def api() -> Iterator[ApiDouble]:
    """Serves an empty Kubernetes API double."""
    with serve(ApiDouble()) as running:
        yield running


@pytest.fixture(params=[transport.connect, ClientConnection.connect], ids=["direct", "through-client"])
def cluster(request: pytest.FixtureRequest, api: ApiDouble, tmp_path: Path) -> Cluster:
    """Returns the engine's client of that API, over each kind of connection."""
    return Cluster(request.param("here", api.kubeconfig(tmp_path)), "here")
