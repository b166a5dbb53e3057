"""Tests what a deployment is made of, and what its id covers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from todo_release.adapters.git import Repository
from todo_release.artifacts.deployment import Deployment, nest_values, parse_description, prepare_deployment
from todo_release.config.loader import load
from todo_release.config.overrides import Overrides
from todo_release.errors import ConfigError

from ..shop import Tree


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """A deployment of a chart with one template and one values file."""
    files = {"chart/Chart.yaml": "version: 1", "chart/templates/web.yaml": "kind: Pod", "values.yaml": "a: 1"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Deployment(
        version="0.1.0",
        environment="staging",
        release="shop-staging",
        namespace="staging",
        chart=tmp_path / "chart",
        values=(tmp_path / "values.yaml",),
        overlay={"host": "a"},
        images={},
    )


@pytest.mark.parametrize("name", ["chart/Chart.yaml", "chart/templates/web.yaml", "chart/new", "values.yaml"])
def test_deployment_id_covers_every_file(deployment: Deployment, tmp_path: Path, name: str) -> None:
    """A change of any file of the chart, however deep, or of the values changes the id."""
    before = deployment.id
    (tmp_path / name).write_text("changed")
    assert deployment.id != before


def test_deployment_id_covers_files_whose_names_are_not_utf8(deployment: Deployment, tmp_path: Path) -> None:
    """Git keeps such names, and Helm reads the files."""
    before = deployment.id
    (tmp_path / "chart" / b"caf\xe9".decode(errors="surrogateescape")).write_text("new")
    assert deployment.id != before


@pytest.mark.parametrize(
    "change", [{"overlay": {"host": "b"}}, {"release": "x"}, {"namespace": "x"}, {"values": ()}]
)
def test_deployment_id_covers_what_helm_gets_besides_files(
    deployment: Deployment, change: dict[str, Any]
) -> None:
    """The same files with another overlay, release, namespace or list of values have another id."""
    assert replace(deployment, **change).id != deployment.id


def test_deployment_id_does_not_depend_on_the_folder(deployment: Deployment, tmp_path: Path) -> None:
    """The id stays when the files are in another folder, because every preparation has its own."""
    before = deployment.id
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("chart", "values.yaml"):
        (tmp_path / name).rename(elsewhere / name)
    moved = replace(deployment, chart=elsewhere / "chart", values=(elsewhere / "values.yaml",))
    assert moved.id == before


def test_parse_description_reads_only_its_own_descriptions(deployment: Deployment) -> None:
    """A description is read back as version and id; a description of another tool is None."""
    assert parse_description(deployment.description) == ("0.1.0", deployment.id)
    assert parse_description("Upgrade complete") is None
    assert parse_description("") is None


def test_prepare_deployment_reads_the_commit_and_not_the_work_tree(tree: Tree) -> None:
    """The exported chart is the committed one, and is deleted afterwards."""
    head = tree.git("rev-parse", "HEAD")
    tree.write({"chart/Chart.yaml": "changed\n"})
    with prepare_deployment(Repository(tree.path), load(tree.path), "staging", "0.0.0", head) as deployment:
        assert "version: 0.0.0" in (deployment.chart / "Chart.yaml").read_text()
        assert deployment.overlay == {"host": "staging.example.com"}
        folder = deployment.chart
    assert not folder.exists()


def test_prepare_deployment_reads_absolute_values_files_in_place(tree: Tree, tmp_path: Path) -> None:
    """A values file with an absolute path is not part of the repository and is read where it is."""
    extra = tmp_path / "extra.yaml"
    extra.write_text("a: 1\n")
    config = load(tree.path, Overrides(values={"staging": (str(extra),)}))
    with prepare_deployment(Repository(tree.path), config, "staging", "0.0.0", "HEAD") as deployment:
        assert [path.name for path in deployment.values] == ["values.yaml", "extra.yaml"]
        assert deployment.values[1] == extra


def test_prepare_deployment_refuses_values_files_that_do_not_exist(tree: Tree, tmp_path: Path) -> None:
    """A missing values file is an error before anything is built."""
    config = load(tree.path, Overrides(values={"staging": (str(tmp_path / "none.yaml"),)}))
    with (
        pytest.raises(ConfigError, match=r"none\.yaml does not exist"),
        prepare_deployment(Repository(tree.path), config, "staging", "0.0.0", "HEAD"),
    ):
        pass


def test_nest_values_makes_mappings_of_dotted_paths() -> None:
    """Dotted paths become nested mappings, and values keep their types."""
    assert nest_values({"a.b.c": 1, "a.d": True, "e": "x"}) == {"a": {"b": {"c": 1}, "d": True}, "e": "x"}


@pytest.mark.parametrize("flat", [{"a": 1, "a.b": 2}, {"a.b": 2, "a": 1}])
def test_nest_values_refuses_a_value_inside_a_value(flat: dict[str, int]) -> None:
    """A value inside another value is refused in either order, because one would be lost."""
    with pytest.raises(ConfigError, match="Keep one of the two"):
        nest_values(flat)
