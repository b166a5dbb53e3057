"""The chart to release is found by its files."""

from typing import Any

import pytest

from todo_release.starter.charts import FoundChart, find_chart

CHART = {"name": "shop", "version": "0.1.0"}


@pytest.mark.parametrize("folder", ["", "deploy/shop/"], ids=["root", "folder"])
@pytest.mark.parametrize("has_charts", [False, True])
def test_dependencies_are_built_where_git_has_chart_lock_alone(folder: str, has_charts: bool) -> None:
    """The chart may be the repository itself."""
    files = [f"{folder}Chart.yaml", f"{folder}Chart.lock"]
    files += [f"{folder}charts/db-1.0.0.tgz"] if has_charts else []
    missing: list[str] = []

    def load(file: str) -> Any:
        return CHART if file == files[0] else None

    found = find_chart(files, load, missing)
    assert found == FoundChart(folder.rstrip("/") or ".", "shop", builds_dependencies=not has_charts)
    assert missing == []
