"""A first release.yaml is written from what a repository holds."""

from pathlib import Path

import pytest

from todo_release.config.loader import load
from todo_release.session import CommandOptions
from todo_release.starter.run import init

from ..shop import FILES, Tree

CHART = "apiVersion: v2\nname: shop\nversion: 0.1.0\nappVersion: 0.1.0\n"
KUBECONFIG = "contexts: [{name: lab, context: {}}, {name: live-production, context: {}}]\n"


@pytest.fixture
def empty(tmp_path: Path) -> Tree:
    """Returns a git repository without a commit."""
    tree = Tree(tmp_path / "new")
    tree.path.mkdir()
    tree.git("init", "--quiet", "--initial-branch=main")
    return tree


def options(tmp_path: Path, kubeconfig: str | None = None) -> CommandOptions:
    """Returns the options of somebody with this kubeconfig, or with none."""
    path = tmp_path / "kubeconfig"
    if kubeconfig is not None:
        path.write_text(kubeconfig)
    return CommandOptions(output="lines", environ={"KUBECONFIG": str(path)})


def test_everything_that_is_there_is_found(
    empty: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Chart, images, values, environments in their order, contexts and hosts become a valid release.yaml."""
    empty.git("remote", "add", "origin", "git@github.com:Example/Shop.git")
    empty.write(
        {
            "deploy/shop/Chart.yaml": CHART,
            "deploy/shop/values.yaml": (
                "redis: {image: {repository: redis, tag: '8'}}\n"
                "frontend: {image: {repository: '', tag: '', digest: ''}}\n"
                "worker: {image: ghcr.io/example/shop/worker:1}\n"
            ),
            "deploy/shop/values-production.yaml": "ingress: {hosts: [{host: shop.example.org}]}\n",
            "deploy/shop/values-lab.yaml": "host: lab.shop.example.org\n",
            "deploy/shop/charts/redis/Chart.yaml": CHART,
            "frontend/Dockerfile": "FROM node\nCOPY package.json src/ ./\n",
            "frontend/package.json": "{}\n",
            "frontend/src/index.js": "\n",
            "worker/Dockerfile": "FROM python\nCOPY --from=x /a /b\nCOPY worker/ shared/ /srv/\n",
            "shared/lib.py": "\n",
        }
    )
    assert init(empty.path, options(tmp_path, KUBECONFIG)) == 0
    config = load(empty.path)
    assert (config.name, config.remote, config.branch) == ("shop", "origin", "main")
    assert (config.chart.path, config.chart.values) == ("deploy/shop", "deploy/shop/values.yaml")
    assert config.registry.repository == "ghcr.io/example/shop"
    frontend, worker = config.images["frontend"], config.images["worker"]
    assert (frontend.context, frontend.inputs, frontend.values) == (
        "frontend",
        ("frontend",),
        ("frontend.image",),
    )
    assert (worker.context, worker.inputs, worker.values) == (
        ".",
        ("shared", "worker", "worker/Dockerfile"),
        ("worker.image",),
    )
    assert config.deploy_order() == ("lab", "production")
    lab, production = config.environments["lab"], config.environments["production"]
    assert (lab.context, lab.namespace, lab.url) == ("lab", "shop-lab", "https://lab.shop.example.org")
    assert (production.context, production.requires, production.confirm) == ("live-production", "lab", True)
    assert production.values == ("deploy/shop/values.yaml", "deploy/shop/values-production.yaml")
    output = capsys.readouterr().out
    assert "Not found" not in output
    assert "Chart: deploy/shop. Images: frontend (frontend/Dockerfile, frontend.image)" in output


def test_what_is_not_found_is_said_in_the_file_and_in_the_output(
    empty: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty repository gets a valid file too, in which every gap is named."""
    assert init(empty.path, options(tmp_path)) == 0
    config = load(empty.path)
    assert config.registry.repository == "registry.example.com/new"
    gaps = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Not found: ")]
    text = (empty.path / "release.yaml").read_text()
    assert [line.removeprefix("# ") for line in text.splitlines() if "Not found: " in line] == gaps
    for part in ("Chart.yaml", "chart/values.yaml", "Dockerfile", "image registry", "host of", "context"):
        assert [gap for gap in gaps if part in gap], part


def test_single_dockerfile_at_the_root_excludes_what_a_release_writes(empty: Tree, tmp_path: Path) -> None:
    """The layout of `helm create`: the only image of the values is that of the only Dockerfile."""
    empty.write(
        {
            "Dockerfile": "FROM scratch\nCOPY . .\n",
            "chart/Chart.yaml": CHART,
            "chart/values.yaml": "image: {repository: nginx, tag: ''}\n",
        }
    )
    assert init(empty.path / "chart", options(tmp_path)) == 0
    image = load(empty.path).images["shop"]
    assert (image.inputs, image.values) == (("**",), ("image",))
    assert {"chart", "release.yaml"} <= set(image.exclude)


def test_chart_with_parts_in_the_same_repository_is_the_one_that_is_released(
    empty: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Charts that it depends on, and libraries, are not; what git lacks of them is built from Chart.lock."""
    part = "apiVersion: v2\nname: a\nversion: 0.1.0\n"
    dependency = "dependencies: [{name: a, version: 0.1.0, repository: 'file://../a'}]\n"
    empty.write(
        {
            "charts/a/Chart.yaml": part,
            "charts/conventions/Chart.yaml": f"{part}type: library\n",
            "charts/shop/Chart.yaml": CHART + dependency,
            "charts/shop/Chart.lock": "digest: sha256:1\n",
            "charts/shop/values.yaml": (
                "global: {image: {registry: ghcr.io/example, tag: ''}}\n"
                "web: {image: {repository: web}}\napi: {image: {repository: api}}\n"
            ),
            "web/Dockerfile": "FROM scratch\n",
            "api/Dockerfile": "FROM scratch\n",
        }
    )
    assert init(empty.path, options(tmp_path)) == 0
    config = load(empty.path)
    assert (config.name, config.chart.path, config.chart.dependencies) == ("shop", "charts/shop", "build")
    assert config.registry.repository == "ghcr.io/example"
    values = {name: image.values for name, image in config.images.items()}
    assert values == {
        name: (f"{name}.image", "global.image.registry", "global.image.tag") for name in ("api", "web")
    }
    assert "Several charts" not in capsys.readouterr().out


def test_names_that_yaml_reads_otherwise_are_quoted(empty: Tree, tmp_path: Path) -> None:
    """A context or branch that looks like a number, a boolean or a comment stays a text."""
    empty.git("checkout", "--quiet", "-b", "true")
    assert init(empty.path, options(tmp_path, 'contexts: [{name: "1e3 # x", context: {}}]\n')) == 0
    config = load(empty.path)
    assert config.branch == "true"
    assert config.environments["production"].context == "1e3 # x"


def test_kubeconfig_that_cannot_be_read_is_said(
    empty: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It keeps nobody from having a release.yaml."""
    assert init(empty.path, options(tmp_path, "just text\n")) == 0
    assert "Not found: The kubeconfig could not be read: " in capsys.readouterr().out


def test_existing_file_is_kept(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A release.yaml that is there already is not overwritten."""
    assert init(tree.path, options(tmp_path)) == 2
    assert (tree.path / "release.yaml").read_text() == FILES["release.yaml"]
    assert "release.yaml exists already" in capsys.readouterr().out


def test_folder_outside_git_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A release needs a git repository, so does the file."""
    assert init(tmp_path, options(tmp_path)) == 4
    assert "git init" in capsys.readouterr().out
