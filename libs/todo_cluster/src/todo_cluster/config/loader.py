"""Reads cluster.yaml with its overlays and reports every mistake with file, line and column."""

from collections.abc import Iterable
from pathlib import Path

from todo_cluster.config.model import FILE_NAME, ClusterConfig
from todo_release.config import validation
from todo_release.core import text_file, yaml_positions
from todo_release.errors import ConfigError


def load(root: Path, overlays: Iterable[Path] = (), *, context: str | None = None) -> ClusterConfig:
    """Reads cluster.yaml at the root of a repository and lays the overlays, partial files like it, over it.

    With a `context` the cluster is the existing one that it leads to, whatever the files say.

    Raises:
        ConfigError: There is a mistake; file, line and column say where.
    """
    document = _read(root / FILE_NAME, FILE_NAME)
    for overlay in overlays:
        document = yaml_positions.merge(document, _read(overlay, str(overlay)))
    if context:
        existing = yaml_positions.LocatedDocument({"provider": "existing", "context": context}, {})
        document = yaml_positions.merge(document, existing)
    if not isinstance(document.value, dict):
        raise ConfigError(f"{FILE_NAME} is not a mapping.", remedy="Write it as KEY: VALUE.", file=FILE_NAME)
    return validation.validate(document, ClusterConfig, file=FILE_NAME)


def _read(path: Path, shown: str) -> yaml_positions.LocatedDocument:
    return yaml_positions.read(text_file.read(path, shown), shown)
