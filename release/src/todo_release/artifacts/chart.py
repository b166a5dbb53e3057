"""Reads the chart's files: the version in Chart.yaml and the image references in the values file."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from todo_release.core import yaml_positions
from todo_release.core.yaml_positions import LocatedDocument
from todo_release.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image as the values file names it; `digest` (sha256:…) decides what runs, `tag` is for readers."""

    repository: str
    tag: str
    digest: str

    def __str__(self) -> str:
        """Returns the name that a node can pull."""
        return f"{self.repository}@{self.digest}"


def read_version(text: str, file: str) -> str:
    """Returns the `version` of a Chart.yaml.

    Raises:
        ConfigError: The file has no version.
    """
    return _value(yaml_positions.read(text, file), file, ("version",))


def read_images(text: str, file: str, paths: Mapping[str, str]) -> dict[str, ImageReference]:
    """Returns the image references of a values file by name; `paths` are their dotted paths in the file.

    Raises:
        ConfigError: A path, or its repository, tag or digest, is missing.
    """
    document = yaml_positions.read(text, file)
    return {name: _image(document, file, path) for name, path in paths.items()}


def read_known_images(text: str, file: str, paths: Mapping[str, str]) -> dict[str, ImageReference]:
    """Does the same as `read_images`, but leaves out images that the file does not have.

    Raises:
        ConfigError: The file is not valid YAML.
    """
    document = yaml_positions.read(text, file)
    references = {}
    for name, path in paths.items():
        with suppress(ConfigError):
            references[name] = _image(document, file, path)
    return references


def _image(document: LocatedDocument, file: str, path: str) -> ImageReference:
    return ImageReference(
        *(_value(document, file, (*path.split("."), key)) for key in ("repository", "tag", "digest"))
    )


def missing_key(file: str, path: tuple[str, ...], place: yaml_positions.Place | None) -> ConfigError:
    """Returns the error about a missing key that a release needs and never adds by itself."""
    return ConfigError(
        f"{file} has no {'.'.join(path)}.",
        remedy=f'Write `{path[-1]}: ""` there; the release fills it in.',
        file=file,
        line=place.line if place else None,
        column=place.column if place else None,
    )


def _value(document: LocatedDocument, file: str, path: tuple[str, ...]) -> str:
    value = document.value
    for depth, key in enumerate(path, start=1):
        if not isinstance(value, dict) or key not in value:
            raise missing_key(file, path[:depth], document.place(path[:depth]))
        value = value[key]
    return "" if value is None else str(value)
