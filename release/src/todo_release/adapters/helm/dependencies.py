"""Reads which charts a chart depends on and has, and lets Helm fetch those that it lacks.

`helm dependency build` writes archives whose bytes differ each time; they are unpacked, so that the same
dependencies are the same files. Repositories need not be known to Helm beforehand.
"""

import re
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from todo_release.adapters import process
from todo_release.core import yaml_loader
from todo_release.errors import CommandError, ConfigError, HelmError

ARCHIVE = re.compile(r"(?P<name>.+?)-v?\d+\.\d+\.\d+.*\.tgz")
LOCAL = "file://"
FETCH_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Dependency:
    """A chart that another one needs; `repository` is a URL, `file://` for a folder beside the chart."""

    name: str
    repository: str


def read_dependencies(chart: Path) -> tuple[Dependency, ...]:
    """Returns the dependencies of a chart's folder.

    Raises:
        ConfigError: Its Chart.yaml (or, for an old chart, requirements.yaml) is not valid.
    """
    listed: list[Any] = []
    for name in ("Chart.yaml", "requirements.yaml"):
        listed += _mapping(chart / name).get("dependencies") or ()
    return tuple(
        Dependency(str(entry["name"]), str(entry.get("repository") or ""))
        for entry in listed
        if isinstance(entry, dict) and "name" in entry
    )


def missing_dependencies(chart: Path) -> tuple[Dependency, ...]:
    """Returns the dependencies that are not in the chart's `charts` folder, packed or unpacked."""
    wanted = read_dependencies(chart)
    if not wanted:
        return ()
    present = {str(_mapping(path).get("name")) for path in (chart / "charts").glob("*/Chart.yaml")}
    archives = (ARCHIVE.fullmatch(path.name) for path in (chart / "charts").glob("*.tgz"))
    present |= {match["name"] for match in archives if match}
    return tuple(dependency for dependency in wanted if dependency.name not in present)


def build_dependencies(chart: Path, program: str = "helm") -> None:
    """Fetches what Chart.lock names into the chart's `charts` folder, unpacked; Chart.lock stays as it is.

    Raises:
        HelmError: Helm cannot fetch them, or Chart.lock does not belong to Chart.yaml.
    """
    lock = chart / "Chart.lock"
    locked = lock.read_bytes() if lock.exists() else None
    with tempfile.TemporaryDirectory(prefix="todo-release-helm-") as scratch:
        environment = {
            "HELM_REPOSITORY_CONFIG": str(_write_repositories(chart, Path(scratch), program)),
            "HELM_REPOSITORY_CACHE": f"{scratch}/cache",
        }
        try:
            arguments = [program, "dependency", "build", str(chart)]
            process.run(arguments, env=environment, timeout_seconds=FETCH_SECONDS)
        except CommandError as error:
            raise HelmError(
                f"The dependencies of the chart cannot be built: {error.problem}",
                remedy="Run `helm dependency update` on the chart and commit Chart.lock, or its charts.",
            ) from error
    if locked is None:
        lock.unlink(missing_ok=True)
    else:
        lock.write_bytes(locked)
    for archive in sorted((chart / "charts").glob("*.tgz")):
        with tarfile.open(archive) as tar:
            tar.extractall(
                chart / "charts" / archive.name.removesuffix(".tgz"), members=_without_top(tar), filter="data"
            )
        archive.unlink()


def _without_top(tar: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """Returns the files of a packed chart, without the name of the chart's folder."""
    members = [member for member in tar if member.isfile() and "/" in member.name]
    return [member.replace(name=member.name.partition("/")[2], deep=False) for member in members]


def _write_repositories(chart: Path, folder: Path, program: str) -> Path:
    """Writes the repositories that Helm knows, with the credentials of each, and those of the chart."""
    known_file = Path(process.run([program, "env", "HELM_REPOSITORY_CONFIG"]).stdout.strip())
    entries = list(_mapping(known_file).get("repositories") or ())
    known = {str(entry.get("url", "")).rstrip("/") for entry in entries}
    urls = {dependency.repository.rstrip("/") for dependency in read_dependencies(chart)}
    for number, url in enumerate(
        sorted(url for url in urls - known if url.startswith(("https://", "http://")))
    ):
        entries.append({"name": f"chart-{number}", "url": url})
    path = folder / "repositories.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "", "repositories": entries}), encoding="utf-8")
    return path


def _mapping(path: Path) -> dict[str, Any]:
    """Returns the content of a file, empty if there is none."""
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        content = yaml_loader.load(text)
    except yaml.YAMLError as error:
        problem, line, column = yaml_loader.locate_error(error, text)
        raise ConfigError(
            f"This is not valid YAML: {problem}.",
            remedy="Correct the line.",
            file=path.name,
            line=line,
            column=column,
        ) from error
    return content if isinstance(content, dict) else {}
