"""Completes the exported chart of a commit with its dependencies, or says which are not committed."""

import posixpath
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from todo_release.adapters.git import Repository
from todo_release.adapters.helm.dependencies import (
    LOCAL,
    build_dependencies,
    missing_dependencies,
    read_dependencies,
)
from todo_release.config.model import ChartSettings
from todo_release.errors import RepositoryError


def complete(repository: Repository, settings: ChartSettings, commit: str, folder: Path) -> None:
    """Writes the dependencies that a commit's exported chart lacks into its `charts` folder.

    Raises:
        RepositoryError: They are not committed, and release.yaml does not let the release build them.
        HelmError: They cannot be built.
    """
    missing = missing_dependencies(folder)
    if not missing:
        return
    if settings.dependencies == "committed":
        names = " and no ".join(f"{settings.path}/charts/{dependency.name}" for dependency in missing)
        raise RepositoryError(
            f"The commit {commit[:12]} has no {names}, which {settings.file} depends on.",
            remedy=f"Run `helm dependency build {settings.path}` and commit {settings.path}/charts, or let "
            "the release build it: `chart: {dependencies: build}` in release.yaml.",
        )
    for name, data in _built(repository, commit, settings.path).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def check_work_tree(settings: ChartSettings, folder: Path) -> None:
    """Checks that the chart in the work tree has its dependencies.

    Raises:
        RepositoryError: Some are missing.
    """
    missing = missing_dependencies(folder)
    if missing:
        names = " and no ".join(f"{settings.path}/charts/{dependency.name}" for dependency in missing)
        raise RepositoryError(
            f"The work tree has no {names}, which {settings.file} depends on.",
            remedy=f"Run `helm dependency build {settings.path}`.",
        )


@lru_cache(maxsize=8)
def _built(repository: Repository, commit: str, path: str) -> Mapping[str, bytes]:
    """Returns the files of the dependencies by their path in the chart; one command builds them once."""
    with TemporaryDirectory(prefix="todo-release-chart-") as scratch:
        root = Path(scratch)
        repository.export(commit, [path], root)
        _build(repository, commit, path, root)
        chart = root / path
        files = sorted(file for file in (chart / "charts").rglob("*") if file.is_file())
        return {str(file.relative_to(chart)): file.read_bytes() for file in files}


def _build(repository: Repository, commit: str, path: str, root: Path) -> None:
    chart = root / path
    dependencies = read_dependencies(chart)
    local = [dependency for dependency in dependencies if dependency.repository.startswith(LOCAL)]
    if len(local) < len(dependencies) and not (chart / "Chart.lock").is_file():
        raise RepositoryError(
            f"The commit {commit[:12]} has no {path}/Chart.lock, which fixes the versions of dependencies.",
            remedy=f"Run `helm dependency update {path}` and commit {path}/Chart.lock.",
        )
    for dependency in local:
        place = posixpath.normpath(posixpath.join(path, dependency.repository.removeprefix(LOCAL)))
        if not (root / place).exists():
            repository.export(commit, [place], root)
        if missing_dependencies(root / place):
            _build(repository, commit, place, root)
    build_dependencies(chart)
