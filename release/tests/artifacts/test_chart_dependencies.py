"""A chart's dependencies: committed, or built by the release in the same way each time."""

import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from todo_release.adapters.git import Repository
from todo_release.artifacts import chart_dependencies
from todo_release.artifacts.deployment import prepare_deployment
from todo_release.config.loader import load
from todo_release.config.overrides import Overrides
from todo_release.errors import HelmError, RepositoryError

from ..shop import FILES, RELEASE_YAML, Tree

CHART = FILES["chart/Chart.yaml"]
BUILD = {"release.yaml": f"{RELEASE_YAML}chart: {{dependencies: build}}\n"}
COMMON = {
    "common/Chart.yaml": "apiVersion: v2\nname: common\nversion: 1.0.0\n",
    "common/templates/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: common}\n",
}
LOCAL = CHART + 'dependencies: [{name: common, version: 1.0.0, repository: "file://../common"}]\n'
IGNORED = {".gitignore": f"{FILES['.gitignore']}charts/\n"}


def deployed(tree: Tree) -> tuple[str, dict[str, bytes]]:
    """Returns the id of the last commit's deployment, and the files in its charts folder."""
    repository, config = Repository(tree.path), load(tree.path, Overrides())
    with prepare_deployment(repository, config, "staging", "0.1.0", repository.head()) as deployment:
        charts = deployment.chart / "charts"
        files = {
            str(path.relative_to(charts)): path.read_bytes() for path in charts.rglob("*") if path.is_file()
        }
        subprocess.run(["helm", "template", "shop", deployment.chart], check=True, capture_output=True)
        return deployment.id, files


def test_dependency_that_is_not_committed_is_named_with_both_ways_out(tree: Tree) -> None:
    """Helm alone would advise to build what was built, because git ignores it."""
    tree.commit("common", COMMON | IGNORED | {"chart/Chart.yaml": LOCAL})
    subprocess.run(["helm", "dependency", "build", tree.path / "chart"], check=True, capture_output=True)
    with pytest.raises(RepositoryError, match=r"has no chart/charts/common.*commit.*dependencies: build"):
        deployed(tree)


@pytest.mark.parametrize("form", ["packed", "folder"])
def test_committed_dependency_is_taken_as_it_is(tree: Tree, form: str) -> None:
    """Packed and unpacked charts both count."""
    tree.write(COMMON | {"chart/Chart.yaml": LOCAL})
    if form == "packed":
        subprocess.run(["helm", "dependency", "build", tree.path / "chart"], check=True, capture_output=True)
    else:
        tree.write({f"chart/charts/{name}": text for name, text in COMMON.items()})
    tree.commit("charts")
    assert deployed(tree)[1]


def test_release_builds_local_dependencies_in_the_same_way_each_time(tree: Tree) -> None:
    """An archive has the time of its making in it; the deployment's id must not."""
    tree.commit("common", COMMON | IGNORED | BUILD | {"chart/Chart.yaml": LOCAL})
    first, files = deployed(tree)
    assert sorted(files) == ["common-1.0.0/Chart.yaml", "common-1.0.0/templates/map.yaml"]
    chart_dependencies._built.cache_clear()
    assert deployed(tree)[0] == first
    assert Repository(tree.path).dirty() == ()
    tree.commit("common: Change.", {"common/templates/map.yaml": "# nothing\n"})
    assert deployed(tree)[0] != first


def test_release_builds_dependencies_of_dependencies(tree: Tree) -> None:
    """A local chart may have local dependencies of its own."""
    base = {
        "base/Chart.yaml": "apiVersion: v2\nname: base\nversion: 2.0.0\n",
        "base/values.yaml": "a: 1\n",
    }
    needs_base = 'dependencies: [{name: base, version: 2.0.0, repository: "file://../base"}]\n'
    common = COMMON | {"common/Chart.yaml": COMMON["common/Chart.yaml"] + needs_base}
    tree.commit("charts", base | common | IGNORED | BUILD | {"chart/Chart.yaml": LOCAL})
    assert [name for name in deployed(tree)[1] if name.endswith("values.yaml")]


@pytest.fixture
def chart_repository(tmp_path: Path) -> Iterator[str]:
    """Serves a chart repository with `common` 1.0.0; yields its URL."""
    folder = tmp_path / "repository"
    Tree(tmp_path / "sources").write(COMMON)
    commands = (
        ["helm", "package", tmp_path / "sources/common", "--destination", folder],
        ["helm", "repo", "index", folder],
    )
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_release_builds_what_the_lock_names_from_a_repository(tree: Tree, chart_repository: str) -> None:
    """The repository need not be known to Helm; without Chart.lock the versions would not be fixed."""
    remote = LOCAL.replace("file://../common", chart_repository)
    tree.commit("remote", IGNORED | BUILD | {"chart/Chart.yaml": remote})
    with pytest.raises(RepositoryError, match=r"has no chart/Chart\.lock"):
        deployed(tree)
    subprocess.run(["helm", "dependency", "update", tree.path / "chart"], check=True, capture_output=True)
    tree.commit("lock")
    assert "common-1.0.0/templates/map.yaml" in deployed(tree)[1]
    tree.commit("other version", {"chart/Chart.yaml": remote.replace("version: 1.0.0,", "version: 2.0.0,")})
    with pytest.raises(HelmError, match="out of sync"):
        deployed(tree)
