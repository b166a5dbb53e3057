"""Reads the CustomResourceDefinitions in a chart's `crds/` folder and those of its dependencies.

Helm applies them once, before everything else of a first install, and never again.
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.core import yaml_loader
from todo_release.errors import HelmError

KIND = "CustomResourceDefinition"
SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Definition:
    """A CustomResourceDefinition; `source` is its file's path in the chart."""

    body: JsonObject
    source: str

    @property
    def name(self) -> str:
        """Returns `widgets.shop.example`."""
        return str(self.body["metadata"]["name"])

    @property
    def kinds(self) -> frozenset[tuple[str, str]]:
        """Returns API version and kind of every version that it serves."""
        spec = self.body.get("spec") or {}
        kind = str((spec.get("names") or {}).get("kind"))
        return frozenset(
            (f"{spec.get('group')}/{version.get('name')}", kind)
            for version in spec.get("versions") or ()
            if version.get("served")
        )

    @property
    def api_versions(self) -> frozenset[str]:
        """Returns what Helm adds to its API versions: `shop.example/v1` and `shop.example/v1/Widget`."""
        return frozenset(text for version, kind in self.kinds for text in (version, f"{version}/{kind}"))


def read_definitions(chart: Path) -> tuple[Definition, ...]:
    """Returns the definitions of a chart's folder, those of dependencies included.

    Raises:
        HelmError: A file is not valid YAML.
    """
    found = []
    for source, text in _files(chart):
        try:
            documents = yaml_loader.load_all(text)
        except yaml.YAMLError as error:
            problem, line, _ = yaml_loader.locate_error(error, text)
            raise HelmError(
                f"{source} of the chart is not valid YAML: {problem} in line {line}.",
                remedy="Correct the definition; `helm show crds` prints all that the chart has.",
            ) from error
        found += [
            Definition(document, source)
            for document in documents
            if isinstance(document, dict) and document.get("kind") == KIND and document.get("metadata")
        ]
    return tuple(found)


def mentions(chart: Path, word: bytes) -> bool:
    """Checks whether a word is in a file of a chart, packed dependencies included."""
    files = (path for path in chart.rglob("*") if path.is_file())
    return any(word in _unpacked(path) for path in files)


def _unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix != ".tgz":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return b""  # Helm reports an archive that it cannot read


def _files(chart: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(chart.rglob("*")):
        relative = path.relative_to(chart)
        if _is_definition(relative.as_posix()) and path.is_file():
            yield relative.as_posix(), path.read_text(encoding="utf-8", errors="replace")
        elif relative.parent.name == "charts" and path.name.endswith(".tgz"):
            yield from _packed_files(path)


def _packed_files(archive: Path) -> Iterator[tuple[str, str]]:
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                inside = PurePosixPath(*PurePosixPath(member.name).parts[1:]).as_posix()
                file = tar.extractfile(member) if _is_definition(inside) else None
                if file is not None:
                    yield f"charts/{archive.name}/{inside}", file.read().decode(errors="replace")
    except tarfile.TarError:
        return  # Helm reports an archive that it cannot read


def _is_definition(path: str) -> bool:
    """Checks for `crds/…` at the top of a chart or of one in a `charts` folder."""
    parts = path.split("/")
    while len(parts) > 2 and parts[0] == "charts":
        parts = parts[2:]
    return len(parts) > 1 and parts[0] == "crds" and path.endswith(SUFFIXES)
