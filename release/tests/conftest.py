"""The application of `shop`, in a git repository of its own."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from todo_release.adapters.kubernetes import transport
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.transport import ThroughClient

from .doubles.kubernetes_api import ApiDouble, serve
from .shop import FILES, GIT_SETTINGS, Tree


@pytest.fixture(autouse=True)
def _own_git_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests neither read nor need the settings of whoever runs them."""
    for name, value in GIT_SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on git does not know who commits, as on a fresh machine; it must not guess either."""
    for name in GIT_SETTINGS:
        if name.startswith(("GIT_AUTHOR_", "GIT_COMMITTER_")):
            monkeypatch.delenv(name)
    settings = {"COUNT": "1", "KEY_0": "user.useConfigOnly", "VALUE_0": "true"}
    for name, value in settings.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)


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


@pytest.fixture
def api() -> Iterator[ApiDouble]:
    """An API server of one's own, empty."""
    with serve(ApiDouble()) as running:
        yield running


@pytest.fixture(params=[transport.connect, ThroughClient.connect], ids=["direct", "through-client"])
def cluster(request: pytest.FixtureRequest, api: ApiDouble, tmp_path: Path) -> Cluster:
    """The engine's view of that server, over each connection there is."""
    return Cluster(request.param("here", api.kubeconfig(tmp_path)), "here")
