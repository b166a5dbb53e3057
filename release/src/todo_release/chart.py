"""What the chart's files say: the version in Chart.yaml, the image references in the values file."""

from dataclasses import dataclass

from todo_release import located
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
    return _read(text, file, ("version",))


def read_image(text: str, file: str, path: str) -> ImageReference:
    """The image reference at a dotted path of a values file.

    Raises:
        ConfigError: the path, or one of repository, tag and digest under it, is not there.
    """
    repository, tag, digest = (
        _read(text, file, (*path.split("."), key)) for key in ("repository", "tag", "digest")
    )
    return ImageReference(repository, tag, digest)


def missing(file: str, path: tuple[str, ...], place: located.Place | None) -> ConfigError:
    """The error about a key that a release needs and never adds by itself."""
    return ConfigError(
        f"{file} has no {'.'.join(path)}.",
        remedy=f'Write `{path[-1]}: ""` there; the release fills it in.',
        file=file,
        line=place.line if place else None,
        column=place.column if place else None,
    )


def _read(text: str, file: str, path: tuple[str, ...]) -> str:
    document = located.read(text, file)
    value = document.value
    for depth, key in enumerate(path, start=1):
        if not isinstance(value, dict) or key not in value:
            raise missing(file, path[:depth], document.place(path[:depth]))
        value = value[key]
    return "" if value is None else str(value)
