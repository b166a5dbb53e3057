"""What the chart's files say: the version in Chart.yaml, the image references in the values file."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from todo_release.core import yaml_positions
from todo_release.core.yaml_positions import Located
from todo_release.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image as the values file names it; `digest` (sha256:…) is what runs, `tag` is for readers."""

    repository: str
    tag: str
    digest: str

    def __str__(self) -> str:
        """The pullable name."""
        return f"{self.repository}@{self.digest}"


def read_version(text: str, file: str) -> str:
    """The `version` of a Chart.yaml.

    Raises:
        ConfigError: the file has none.
    """
    return _value(yaml_positions.read(text, file), file, ("version",))


def read_images(text: str, file: str, paths: Mapping[str, str]) -> dict[str, ImageReference]:
    """The image references of a values file, by name; `paths` are where they stand in it, dotted.

    Raises:
        ConfigError: a path, or one of repository, tag and digest under it, is not there.
    """
    document = yaml_positions.read(text, file)
    return {name: _image(document, file, path) for name, path in paths.items()}


def known_images(text: str, file: str, paths: Mapping[str, str]) -> dict[str, ImageReference]:
    """As `read_images`, without those that are not there.

    Raises:
        ConfigError: the file is no YAML.
    """
    document = yaml_positions.read(text, file)
    found = {}
    for name, path in paths.items():
        with suppress(ConfigError):
            found[name] = _image(document, file, path)
    return found


def _image(document: Located, file: str, path: str) -> ImageReference:
    return ImageReference(
        *(_value(document, file, (*path.split("."), key)) for key in ("repository", "tag", "digest"))
    )


def missing(file: str, path: tuple[str, ...], place: yaml_positions.Place | None) -> ConfigError:
    """The error about a key that a release needs and never adds by itself."""
    return ConfigError(
        f"{file} has no {'.'.join(path)}.",
        remedy=f'Write `{path[-1]}: ""` there; the release fills it in.',
        file=file,
        line=place.line if place else None,
        column=place.column if place else None,
    )


def _value(document: Located, file: str, path: tuple[str, ...]) -> str:
    value = document.value
    for depth, key in enumerate(path, start=1):
        if not isinstance(value, dict) or key not in value:
            raise missing(file, path[:depth], document.place(path[:depth]))
        value = value[key]
    return "" if value is None else str(value)
