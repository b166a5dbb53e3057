"""The check of the size of Helm's record."""

import os
from pathlib import Path

import pytest

from todo_release.adapters.helm.record_size import LIMIT_BYTES, measure_record
from todo_release.preflight.checks.helm_record import CHECK

from ..snapshots import make_snapshot, severities_of


@pytest.mark.parametrize(
    ("share", "severities"), [(0, []), (0.79, []), (0.81, ["warning"]), (1.0, ["warning"]), (1.01, ["error"])]
)
def test_record_is_compared_with_what_a_secret_may_hold(share: float, severities: list[str]) -> None:
    """A record beyond the limit is refused before anything is committed."""
    assert severities_of(CHECK, make_snapshot(record_bytes=int(share * LIMIT_BYTES))) == severities


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A chart with a large file that does not compress, and one that git and Helm both take."""
    folder = tmp_path / "shop"
    (folder / "files").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 0.1.0\n")
    (folder / "files/random").write_bytes(os.urandom(700_000))
    return folder


def test_record_has_every_file_of_the_chart_that_helm_takes(chart: Path) -> None:
    """Base64 makes a third more of what cannot be compressed; .helmignore and dependencies do not count."""
    assert 1.0 < measure_record(chart, "", {}) / (700_000 * 4 / 3) < 1.03
    (chart / "charts/common").mkdir(parents=True)
    (chart / "charts/common/Chart.yaml").write_text("apiVersion: v2\nname: common\nversion: 0.1.0\n")
    (chart / "files/random").rename(chart / "charts/common/random")
    assert measure_record(chart, "", {}) == 0
    (chart / "charts/common/random").rename(chart / "files/random")
    (chart / ".helmignore").write_text("files/\n")
    assert measure_record(chart, "", {}) < 10_000


def test_record_has_the_manifest(chart: Path) -> None:
    """Text compresses well, so a large manifest may fit."""
    (chart / "files/random").unlink()
    assert 0 < measure_record(chart, "kind: Pod\n" * 100_000, {}) < 20_000
