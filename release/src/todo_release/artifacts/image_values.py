"""Which values name an image: repository, tag and digest, in the layout that the values file has.

release.yaml says where an image stands; how it is written there is read from the values file: a mapping with
some of `registry`, `repository`, `tag` and `digest`, a single tag or digest, or one text
`repository:tag@digest`.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from todo_release.artifacts.chart import ImageReference
from todo_release.config.image_parts import ImagePart, image_part
from todo_release.config.model import Config
from todo_release.core import yaml_positions
from todo_release.core.yaml_positions import LocatedDocument
from todo_release.errors import ConfigError

ValuePath = tuple[str, ...]
MAPPING_PARTS: tuple[ImagePart, ...] = ("registry", "repository", "tag", "digest")
VERSION_PARTS = ("tag", "digest", "reference")
SHARED_PARTS = ("tag", "registry")
EMPTY_MAPPING = '{repository: "", tag: "", digest: ""}'


@dataclass(frozen=True, slots=True)
class ImageValue:
    """One value that names an image or a part of its name, and its text now."""

    path: ValuePath
    part: ImagePart
    text: str


def read_images(text: str, file: str, config: Config) -> dict[str, ImageReference]:
    """Returns the image references of a values file by name.

    Raises:
        ConfigError: A value that names an image is missing.
    """
    document = yaml_positions.read(text, file)
    return {name: _read_image(document, file, config, name) for name in config.images}


def read_known_images(text: str, file: str, config: Config) -> dict[str, ImageReference]:
    """Does the same as `read_images`, but leaves out images that the file does not have.

    Raises:
        ConfigError: The file is not valid YAML.
    """
    document = yaml_positions.read(text, file)
    references = {}
    for name in config.images:
        with suppress(ConfigError):
            references[name] = _read_image(document, file, config, name)
    return references


def find_image_values(document: LocatedDocument, file: str, config: Config, image: str) -> list[ImageValue]:
    """Returns the values that name an image.

    Raises:
        ConfigError: One of them is missing, or none of them holds a tag or a digest.
    """
    paths = config.images[image].values
    found = [value for path in paths for value in _values_at(document, file, tuple(path.split(".")))]
    if not any(value.part in VERSION_PARTS for value in found):
        raise _error(
            document,
            file,
            tuple(paths[0].split(".")),
            f"{' and '.join(paths)} in {file} hold neither a tag nor a digest, so no version of {image} can "
            "be written there.",
            f'Write `digest: ""` inside `{paths[0]}`, and name the image by it in the templates.',
        )
    return found


def image_texts(
    document: LocatedDocument,
    file: str,
    config: Config,
    references: Mapping[str, ImageReference],
    version_tag: str,
) -> dict[ValuePath, str]:
    """Returns the text of every value that names one of the images; a shared tag is `version_tag`.

    Raises:
        ConfigError: As `find_image_values`; images share more than a tag; or only some of the images that
            share a tag are given, and one of them has no digest of its own.
    """
    texts: dict[ValuePath, str] = {}
    for name, reference in references.items():
        values = find_image_values(document, file, config, name)
        has_registry = any(value.part == "registry" for value in values)
        for value in values:
            users = _users(config, value)
            if len(users) > 1 and value.part not in SHARED_PARTS:
                raise _error(
                    document,
                    file,
                    value.path,
                    f"The images {' and '.join(sorted(users))} are both written to {'.'.join(value.path)}.",
                    "Images can share a tag and a registry; give each a repository and a digest of its own.",
                )
            if users <= references.keys():
                tag = version_tag if len(users) > 1 else reference.tag
                texts[value.path] = _text_of(value, reference, tag, has_registry=has_registry)
            elif not any(other.part in {"digest", "reference"} for other in values):
                raise ConfigError(
                    f"The image {name} shares {'.'.join(value.path)} with "
                    f"{', '.join(sorted(users - {name}))}, so it cannot be changed alone.",
                    remedy="Roll back the whole version, or give the image a digest of its own.",
                    file=file,
                )
    return texts


def _read_image(document: LocatedDocument, file: str, config: Config, name: str) -> ImageReference:
    values = find_image_values(document, file, config, name)
    return parse_reference(values, config.registry.reference(name))


def parse_reference(values: Iterable[ImageValue], default_repository: str) -> ImageReference:
    """Returns the image that the values name; without a repository among them it is `default_repository`."""
    parts: dict[str, str] = {}
    for value in values:
        if value.part == "reference":
            name, _, digest = value.text.partition("@")
            repository, colon, tag = name.rpartition(":")
            has_tag = bool(colon) and "/" not in tag
            found = {
                "repository": repository if has_tag else name, "tag": tag if has_tag else "", "digest": digest
            }  # fmt: skip
        else:
            found = {value.part: value.text}
        parts = found | parts
    repository = parts.get("repository", default_repository)
    if parts.get("registry") and "repository" in parts:
        repository = f"{parts['registry']}/{repository}"
    return ImageReference(repository, parts.get("tag", ""), parts.get("digest", ""))


def _text_of(value: ImageValue, reference: ImageReference, tag: str, *, has_registry: bool) -> str:
    host, _, path = reference.repository.partition("/")
    match value.part:
        case "registry":
            return host
        case "repository":
            return path if has_registry else reference.repository
        case "tag":
            return tag
        case "digest":
            return reference.digest
        case "reference":
            has_tag = parse_reference([value], "").tag != ""
            return f"{reference.repository}{f':{tag}' if has_tag else ''}@{reference.digest}"


def _users(config: Config, value: ImageValue) -> set[str]:
    """Returns the images that a value names; it lies at one of their paths or below it."""
    dotted = ".".join(value.path)
    return {
        name
        for name, image in config.images.items()
        if any(dotted == path or dotted.startswith(f"{path}.") for path in image.values)
    }


def _values_at(document: LocatedDocument, file: str, path: ValuePath) -> list[ImageValue]:
    node: Any = document.value
    for depth, key in enumerate(path):
        if not isinstance(node, dict) or key not in node:
            raise _missing(document, file, path, depth)
        node = node[key]
    if isinstance(node, dict):
        values = [ImageValue((*path, key), key, _text(node[key])) for key in MAPPING_PARTS if key in node]
        if values:
            return values
    elif not isinstance(node, list):
        return [ImageValue(path, image_part(path[-1]), _text(node))]
    raise _error(
        document,
        file,
        path,
        f"{'.'.join(path)} in {file} has none of {', '.join(MAPPING_PARTS)}.",
        f"Write `{path[-1]}: {EMPTY_MAPPING}` in its place; the release fills it in.",
    )


def _missing(document: LocatedDocument, file: str, path: ValuePath, depth: int) -> ConfigError:
    """Returns the error about a value of which only the first `depth` keys exist, with the line to write."""
    parent: Any = document.value
    for key in path[:depth]:
        parent = parent[key]
    wanted = EMPTY_MAPPING if image_part(path[-1]) == "reference" else '""'
    for key in reversed(path[depth:]):
        wanted = f"{{{key}: {wanted}}}"
    line = wanted.removeprefix("{").removesuffix("}")
    if depth == 0:
        remedy = f"Write `{line}` at the top level of {file}"
    elif isinstance(parent, dict) and parent:
        remedy = f"Write `{line}` inside `{'.'.join(path[:depth])}`"
    else:
        remedy = f"Write `{path[depth - 1]}: {wanted}` in place of `{path[depth - 1]}`"
    return _error(
        document,
        file,
        path[:depth],
        f"{file} has no {'.'.join(path)}, where the release writes an image.",
        f"{remedy}; the release fills it in. What a subchart reads stands below the subchart's name.",
    )


def _error(document: LocatedDocument, file: str, path: ValuePath, problem: str, remedy: str) -> ConfigError:
    place = document.place(path)
    return ConfigError(
        problem,
        remedy=remedy,
        file=file,
        line=place.line if place else None,
        column=place.column if place else None,
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)
