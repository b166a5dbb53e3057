"""A version prepared for one environment: the chart as it was tagged, the environment's values, and an id.

Every deployment (release, promotion or rollback) starts from the tagged commit and never from the work tree,
so the same version is the same deployment wherever and whenever it is prepared.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from todo_release.adapters.git import Repository
from todo_release.artifacts import chart_dependencies, image_values, release_commit, versions
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.release_commit import FileEdits
from todo_release.config.model import Config
from todo_release.core import text_file, yaml_positions
from todo_release.errors import ConfigError

ID_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What Helm is given for a version in an environment; `overlay` are values that win over the files."""

    version: str
    environment: str
    release: str
    namespace: str
    chart: Path
    values: tuple[Path, ...]
    overlay: Mapping[str, Any]
    images: Mapping[str, ImageReference]

    @property
    def id(self) -> str:
        """Hash of all that decides what will run: every file of the chart and the values, and the overlay."""
        digest = hashlib.sha256()
        files = sorted(path for path in self.chart.rglob("*") if path.is_file())
        for name, path in [(str(file.relative_to(self.chart)), file) for file in files] + [
            (f"values {number}", file) for number, file in enumerate(self.values)
        ]:
            data = path.read_bytes()
            digest.update(os.fsencode(f"{name}\0{len(data)}\0") + data)
        digest.update(json.dumps([self.release, self.namespace, self.overlay], sort_keys=True).encode())
        return digest.hexdigest()[:ID_LENGTH]

    @property
    def description(self) -> str:
        """The description written into Helm's revision; `parse_description` reads it back."""
        return f"{self.version} {self.id}"

    @property
    def digests(self) -> dict[str, str]:
        """Digest of every image by name; the tag of an image that the values name by a tag only."""
        return {name: image.identity for name, image in self.images.items()}


def parse_description(text: str) -> tuple[str, str] | None:
    """Returns version and deployment id of a revision; None when this engine did not make the revision."""
    match text.split(" "):
        case [version, deployment_id] if len(deployment_id) == ID_LENGTH:
            return version, deployment_id
        case _:
            return None


@contextmanager
def prepare_deployment(
    repository: Repository,
    config: Config,
    environment: str,
    version: str,
    commit: str,
    *,
    edits: FileEdits | None = None,
    pinned_images: Mapping[str, ImageReference] | None = None,
) -> Iterator[Deployment]:
    """Exports a version from its commit for one environment; the files are deleted when the context ends.

    Values files given as absolute paths are read in place; all others come from the commit.

    Args:
        edits: Edits of a release that is not committed yet; they are applied to the exported files.
        pinned_images: Images that run instead of the version's own.

    Raises:
        ConfigError: A values file does not exist, or the commit's values lack an image.
        RepositoryError: The commit lacks the chart or a values file.
    """
    settings = config.environment(environment)
    with TemporaryDirectory(prefix=f"{config.name}-{version}-") as scratch:
        folder = Path(scratch)
        tracked = [path for path in settings.values if not Path(path).is_absolute()]
        repository.export(commit, sorted({config.chart.path, config.chart.values, *tracked}), folder)
        exported = {path: text for path, text in (edits or {}).items() if (folder / path).exists()}
        release_commit.apply_edits(folder, exported)
        chart_dependencies.complete(repository, config.chart, commit, folder / config.chart.path)
        yield deployment_from_folder(folder, config, environment, version, pinned_images or {})


def deployment_from_folder(
    folder: Path, config: Config, environment: str, version: str, pinned_images: Mapping[str, ImageReference]
) -> Deployment:
    """Returns the deployment of the files in a folder: an export, or a work tree with all its edits.

    Raises:
        ConfigError: A values file does not exist, or the values lack an image.
    """
    settings = config.environment(environment)
    values = tuple(folder / path for path in settings.values)  # an absolute path replaces the folder
    for path in values:
        if not path.is_file():
            raise ConfigError(f"The values file {path} does not exist.", remedy="Check its path.")
    text = text_file.read(folder / config.chart.values, config.chart.values)
    images = image_values.read_images(text, config.chart.values, config)
    return Deployment(
        version=version,
        environment=environment,
        release=settings.release,
        namespace=settings.namespace,
        chart=folder / config.chart.path,
        values=values,
        overlay=nest_values(settings.set | _values_of(config, text, pinned_images, version)),
        images=images | dict(pinned_images),
    )


def _values_of(
    config: Config, text: str, pinned_images: Mapping[str, ImageReference], version: str
) -> dict[str, str]:
    """Returns the values that name images: always all parts, because some of them name another image."""
    if not pinned_images:
        return {}
    file, tag = config.chart.values, versions.tag_of(versions.parse(version), config.tag_prefix)
    texts = image_values.image_texts(yaml_positions.read(text, file), file, config, pinned_images, tag)
    return {".".join(path): value for path, value in texts.items()}


def nest_values(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Turns dotted paths into nested mappings: {"a.b": 1} becomes {"a": {"b": 1}}.

    Raises:
        ConfigError: One path leads through the value of another.
    """
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, last = path.split(".")
        target = nested
        for parent in parents:
            inner = target.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise ConfigError(
                    f"`set` gives a value to {path} and to a parent of it.", remedy="Keep one of the two."
                )
            target = inner
        if last in target:
            raise ConfigError(
                f"`set` gives a value to {path} and to something inside it.", remedy="Keep one of the two."
            )
        target[last] = value
    return nested
