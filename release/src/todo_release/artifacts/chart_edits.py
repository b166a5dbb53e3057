"""Edits the chart's files: the version in Chart.yaml and the image references in the values file.

An edit replaces the characters of a scalar and nothing else, so comments, quotes, order, indentation and line
ends stay as a person wrote them. The result is parsed again and compared before it is returned.
"""

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from todo_release.artifacts import image_values
from todo_release.artifacts.chart import ImageReference, missing_key
from todo_release.config.model import Config
from todo_release.core import yaml_positions
from todo_release.core.yaml_positions import Place
from todo_release.errors import ConfigError

# What YAML 1.1 (Helm) and 1.2 both read as a string without quotes: a word, or a number with two dots.
PLAIN = re.compile(r"^([A-Za-z][A-Za-z0-9./:@_-]*|\d+\.\d+\.\d+(-[A-Za-z0-9.-]+)?)$")
STRING_TAG = "tag:yaml.org,2002:str"
NOT_STRINGS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


@dataclass(frozen=True, slots=True)
class _ScalarPosition:
    """A scalar in a text: its value, its quoting, and the characters that it and its key take."""

    value: str
    is_string: bool
    style: str | None
    start: int
    end: int
    key_end: int


def set_version(text: str, file: str, version: str) -> str:
    """Returns the text of a Chart.yaml with `version` and `appVersion` set.

    Raises:
        ConfigError: One of the two keys is missing.
    """
    return _edit(text, file, {("version",): version, ("appVersion",): version})


def set_images(
    text: str, file: str, config: Config, images: Mapping[str, ImageReference], version_tag: str
) -> str:
    """Returns the text of a values file with the images set, in the layout that the file has.

    Args:
        text: The values file.
        file: Its name, for errors.
        config: release.yaml, which says where each image stands.
        images: The images by name.
        version_tag: The tag of images that share one.

    Raises:
        ConfigError: A value that names an image is missing.
    """
    document = yaml_positions.read(text, file)
    return _edit(text, file, image_values.image_texts(document, file, config, images, version_tag))


def _edit(text: str, file: str, values: Mapping[tuple[str, ...], str]) -> str:
    root = _compose(text, file)
    replacements = []
    for path, value in values.items():
        scalar = _find_scalar(root, path, file)
        if scalar.value == value and scalar.is_string:
            continue
        start, end, written = scalar.start, scalar.end, _quoted(value, scalar.style)
        if start == end:  # an empty value has no characters of its own; its mark is that of the next token
            start = end = text.index(":", scalar.key_end) + 1
            written = f" {written}"
        replacements.append((start, end, written))
    for start, end, written in sorted(replacements, reverse=True):
        text = text[:start] + written + text[end:]
    _check(text, file, values)
    return text


def _check(text: str, file: str, values: Mapping[tuple[str, ...], str]) -> None:
    try:
        root = _compose(text, file)
        is_right = all(
            (scalar.value, scalar.is_string) == (value, True)
            for value, scalar in ((value, _find_scalar(root, path, file)) for path, value in values.items())
        )
    except ConfigError:
        is_right = False
    if not is_right:
        paths = ", ".join(".".join(path) for path in values)
        raise ConfigError(
            f"One of {paths} could not be set.",
            remedy="Write each as a quoted string on one line, without anchors.",
            file=file,
        )


def _quoted(value: str, style: str | None) -> str:
    if style == "'":
        return "'" + value.replace("'", "''") + "'"
    if style is None and PLAIN.match(value) and value.lower() not in NOT_STRINGS:
        return value
    return json.dumps(value)


def _compose(text: str, file: str) -> Node:
    try:
        root = YAML().compose(io.StringIO(text, newline=""))
    except YAMLError as error:
        raise ConfigError(f"{file} is not valid YAML: {error}", remedy="Correct it.", file=file) from error
    if not isinstance(root, MappingNode):
        raise ConfigError(f"{file} is not a mapping.", remedy="Write keys and values there.", file=file)
    return root


def _find_scalar(root: Node, path: Sequence[str], file: str) -> _ScalarPosition:
    node: Any = root
    key_end = 0
    for depth, key in enumerate(path):
        pairs = node.value if isinstance(node, MappingNode) else ()
        pair = next(((name, value) for name, value in pairs if name.value == key), None)
        if pair is None:
            place = Place(file, node.start_mark.line + 1, node.start_mark.column + 1)
            raise missing_key(file, tuple(path[: depth + 1]), place)
        node, key_end = pair[1], pair[0].end_mark.index
    if not isinstance(node, ScalarNode):
        raise ConfigError(
            f"{'.'.join(path)} in {file} is not a single value.",
            remedy='Write `""` there; the release fills it in.',
            file=file,
        )
    return _ScalarPosition(
        value=str(node.value),
        is_string=node.tag == STRING_TAG,
        style=node.style,
        start=node.start_mark.index,
        end=node.end_mark.index,
        key_end=key_end,
    )
