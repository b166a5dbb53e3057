"""A version made ready to deploy: the chart as it was tagged, the values of one environment, and their
identity.

Every deployment, be it a release, a promotion or a rollback, starts from the tagged commit and never from the
work tree, so the same version is the same deployment wherever and whenever it is prepared.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from todo_release.adapters.git import Repository
from todo_release.artifacts import chart, release_commit
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.release_commit import Edits
from todo_release.config.model import Config
from todo_release.errors import ConfigError

ID_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A version for an environment; `folder` holds the chart, `overlay` the values that win over the
    files.
    """

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
        """Identity of all that decides what will run: every file of the chart and of the values, and the
        overlay.
        """
        digest = hashlib.sha256()
        files = sorted(path for path in self.chart.rglob("*") if path.is_file())
        for name, path in [(str(file.relative_to(self.chart)), file) for file in files] + [
            (f"values {number}", file) for number, file in enumerate(self.values)
        ]:
            data = path.read_bytes()
            digest.update(f"{name}\0{len(data)}\0".encode() + data)
        digest.update(json.dumps([self.release, self.namespace, self.overlay], sort_keys=True).encode())
        return digest.hexdigest()[:ID_LENGTH]

    @property
    def description(self) -> str:
        """What is written into Helm's revision, read back by `parse_description`."""
        return f"{self.version} {self.id}"

    @property
    def digests(self) -> dict[str, str]:
        """Digest of every image."""
        return {name: image.digest for name, image in self.images.items()}


def parse_description(text: str) -> tuple[str, str] | None:
    """Version and deployment id of a revision; None when the revision was not made by this engine."""
    match text.split(" "):
        case [version, identity] if len(identity) == ID_LENGTH:
            return version, identity
        case _:
            return None


@contextmanager
def prepare(
    repository: Repository,
    config: Config,
    environment: str,
    version: str,
    commit: str,
    *,
    changes: Edits | None = None,
    pins: Mapping[str, ImageReference] | None = None,
) -> Iterator[Deployment]:
    """Export a version from its commit for one environment; the files are gone when the context ends.

    Values files given as absolute paths are read where they are; all others come from the commit. `changes`
    are made to the exported files: the edits of a release that is not committed yet. `pins` are images that
    run instead of the version's own.

    Raises:
        ConfigError: a values file does not exist, or the commit's values lack an image.
        RepositoryError: the commit lacks the chart or a values file.
    """
    settings = config.environment(environment)
    with TemporaryDirectory(prefix=f"{config.name}-{version}-") as scratch:
        folder = Path(scratch)
        tracked = [path for path in settings.values if not Path(path).is_absolute()]
        repository.export(commit, sorted({config.chart.path, config.chart.values, *tracked}), folder)
        exported = {path: text for path, text in (changes or {}).items() if (folder / path).exists()}
        release_commit.apply(folder, exported)
        yield of_folder(folder, config, environment, version, pins or {})


def of_folder(
    folder: Path, config: Config, environment: str, version: str, pins: Mapping[str, ImageReference]
) -> Deployment:
    """The deployment of what lies in a folder, be it an export or a work tree with all its edits.

    Raises:
        ConfigError: a values file does not exist, or the values lack an image.
    """
    settings = config.environment(environment)
    values = tuple(folder / path for path in settings.values)  # an absolute path replaces the folder
    for path in values:
        if not path.is_file():
            raise ConfigError(f"The values file {path} does not exist.", remedy="Check its path.")
    text = (folder / config.chart.values).read_text(encoding="utf-8")
    return Deployment(
        version=version,
        environment=environment,
        release=settings.release,
        namespace=settings.namespace,
        chart=folder / config.chart.path,
        values=values,
        overlay=nest(settings.set | _values_of(config, pins)),
        images=chart.read_images(text, config.chart.values, config.image_paths) | dict(pins),
    )


def _values_of(config: Config, pins: Mapping[str, ImageReference]) -> dict[str, str]:
    """Single values that name images; always all three of an image, because half a name is another image."""
    return {
        f"{config.images[name].values}.{key}": value
        for name, image in pins.items()
        for key, value in (("repository", image.repository), ("tag", image.tag), ("digest", image.digest))
    }


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted paths into nested mappings: {"a.b": 1} is {"a": {"b": 1}}.

    Raises:
        ConfigError: one path leads through the value of another.
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
