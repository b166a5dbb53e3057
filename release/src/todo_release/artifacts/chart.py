"""What a chart says of itself: its version, and the form of an image's name."""

from dataclasses import dataclass

from todo_release.core import yaml_positions
from todo_release.core.yaml_positions import LocatedDocument
from todo_release.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image as the values file names it.

    `digest` (sha256:…) decides what runs, and `tag` is for readers; where the values have room for a tag
    only, `digest` is empty.
    """

    repository: str
    tag: str
    digest: str

    def __str__(self) -> str:
        """Returns the name that a node can pull."""
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"

    @property
    def identity(self) -> str:
        """Returns the digest, or the tag where the values have no digest."""
        return self.digest or self.tag


def read_version(text: str, file: str) -> str:
    """Returns the `version` of a Chart.yaml.

    Raises:
        ConfigError: The file has no version.
    """
    return _value(yaml_positions.read(text, file), file, ("version",))


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
