"""Finds the chart that a repository releases, and how it gets the charts that it depends on."""

import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

CHART_FILE, LOCK_FILE = "Chart.yaml", "Chart.lock"
LOCAL = "file://"


@dataclass(frozen=True, slots=True)
class FoundChart:
    """A chart's folder and name; `builds_dependencies` where git has Chart.lock and not the charts."""

    path: str
    name: str = ""
    builds_dependencies: bool = False


def find_chart(files: Sequence[str], load: Callable[[str], Any], missing: list[str]) -> FoundChart:
    """Returns the chart to release: none of a library, none that only another chart depends on.

    `load` returns the content of a file. What is not clear is added to `missing`.
    """
    folders = sorted(
        (PurePosixPath(file).parent for file in files if PurePosixPath(file).name == CHART_FILE),
        key=lambda folder: (len(folder.parts), folder.as_posix()),
    )
    documents = {
        folder.as_posix(): _mapping(load(str(folder / CHART_FILE)))
        for folder in folders
        if not any(other in folder.parents for other in folders)
    }
    parts = {path for folder, document in documents.items() for path in _local_parts(folder, document)}
    charts = [
        folder
        for folder, document in documents.items()
        if document.get("type") != "library" and folder not in parts
    ]
    if not charts:
        missing.append("No Chart.yaml was found; `helm create chart` makes a chart.")
        return FoundChart("chart")
    if len(charts) > 1:
        missing.append(f"Several charts were found; the others are not released: {', '.join(charts[1:])}.")
    chart = charts[0]
    has_lock = str(PurePosixPath(chart, LOCK_FILE)) in files
    has_charts = any(PurePosixPath(chart, "charts") in PurePosixPath(file).parents for file in files)
    return FoundChart(chart, str(documents[chart].get("name") or ""), has_lock and not has_charts)


def _local_parts(folder: str, document: dict[str, Any]) -> Iterator[str]:
    """Yields the folders of the charts in the same repository that a chart depends on."""
    dependencies = document.get("dependencies")
    for dependency in dependencies if isinstance(dependencies, list) else ():
        repository = str(_mapping(dependency).get("repository") or "")
        if repository.startswith(LOCAL):
            yield posixpath.normpath(posixpath.join(folder, repository.removeprefix(LOCAL)))


def _mapping(document: Any) -> dict[str, Any]:
    return document if isinstance(document, dict) else {}
