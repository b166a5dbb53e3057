"""The archives of charts: from the mirror first, by digest, and unpacked once."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from todo_cluster.charts import Charts
from todo_cluster.config.components import ChartSource
from todo_cluster.errors import BootstrapError

SOURCE = {"name": "gauges", "version": "1.2.3", "repository": "https://127.0.0.1:1/charts"}


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A folder with the archive of one chart."""
    chart = tmp_path / "gauges"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: gauges\nversion: 1.2.3\n")
    folder = tmp_path / "mirror"
    subprocess.run(["helm", "package", chart, "--destination", folder], check=True, capture_output=True)
    return folder


def test_mirror_comes_before_the_repository(tmp_path: Path, mirror: Path) -> None:
    """A chart in the mirror is unpacked, and the repository is not asked."""
    charts = Charts(tmp_path / "cache", mirror)
    chart = charts.get(ChartSource.model_validate(SOURCE))
    assert (chart.folder / "Chart.yaml").is_file()
    assert chart.origin == str(mirror / "gauges-1.2.3.tgz")
    assert chart.sha256 == hashlib.sha256((mirror / "gauges-1.2.3.tgz").read_bytes()).hexdigest()


def test_other_digest_is_refused(tmp_path: Path, mirror: Path) -> None:
    """An archive that is not the pinned one is never unpacked."""
    charts = Charts(tmp_path / "cache", mirror)
    with pytest.raises(BootstrapError, match=r"has the digest .* not 0000"):
        charts.get(ChartSource.model_validate({**SOURCE, "sha256": "0" * 64}))
    assert not (tmp_path / "cache").exists()


def test_chart_that_cannot_be_fetched_names_the_way_without_internet(tmp_path: Path) -> None:
    """The error says which file to put where."""
    charts = Charts(tmp_path / "cache", None)
    with pytest.raises(BootstrapError, match=r"put gauges-1\.2\.3\.tgz into a folder and name it under"):
        charts.get(ChartSource.model_validate(SOURCE))
