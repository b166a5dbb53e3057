"""Edits of the chart's files: a version in Chart.yaml, image references in the values file.

An edit replaces the characters of a scalar and nothing else, so comments, quotes, order, indentation and line
ends stay as a person wrote them. What was written is parsed again and compared before it is returned.
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

from todo_release.artifacts.chart import ImageReference, missing
from todo_release.core.yaml_positions import Place
from todo_release.errors import ConfigError

# What YAML 1.1 (Helm) and 1.2 both read as a string without quotes: a word, or a number with two dots.
PLAIN = re.compile(r"^([A-Za-z][A-Za-z0-9./:@_-]*|\d+\.\d+\.\d+(-[A-Za-z0-9.-]+)?)$")
TEXT_TAG = "tag:yaml.org,2002:str"
NOT_TEXT = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


@dataclass(frozen=True, slots=True)
class _Scalar:
    """A value in a text: what it is, how it is quoted, and which characters it and its key take."""

    value: str
    is_text: bool
    style: str | None
    start: int
    end: int
    key_end: int


def bump_chart(text: str, file: str, version: str) -> str:
    """Chart.yaml with `version` and `appVersion` set.

    Raises:
        ConfigError: one of the two keys is not there.
    """
    return _edit(text, file, {("version",): version, ("appVersion",): version})


def bump_values(text: str, file: str, images: Mapping[str, ImageReference]) -> str:
    """A values file with the image at each dotted path set.

    Raises:
        ConfigError: a path, or one of repository, tag and digest under it, is not there.
    """
    changes: dict[tuple[str, ...], str] = {}
    for path, image in images.items():
        keys = tuple(path.split("."))
        changes[(*keys, "repository")] = image.repository
        changes[(*keys, "tag")] = image.tag
        changes[(*keys, "digest")] = image.digest
    return _edit(text, file, changes)


def _edit(text: str, file: str, changes: Mapping[tuple[str, ...], str]) -> str:
    root = _compose(text, file)
    edits = []
    for path, value in changes.items():
        found = _scalar(root, path, file)
        if found.value == value and found.is_text:
            continue
        start, end, written = found.start, found.end, _written(value, found.style)
        if start == end:  # an empty value has no characters of its own and its mark is that of the next token
            start = end = text.index(":", found.key_end) + 1
            written = f" {written}"
        edits.append((start, end, written))
    for start, end, written in sorted(edits, reverse=True):
        text = text[:start] + written + text[end:]
    _check(text, file, changes)
    return text


def _check(text: str, file: str, changes: Mapping[tuple[str, ...], str]) -> None:
    try:
        root = _compose(text, file)
        is_right = all(
            (found.value, found.is_text) == (value, True)
            for value, found in ((value, _scalar(root, path, file)) for path, value in changes.items())
        )
    except ConfigError:
        is_right = False
    if not is_right:
        paths = ", ".join(".".join(path) for path in changes)
        raise ConfigError(
            f"One of {paths} could not be set.",
            remedy="Write each as a quoted string on one line, without anchors.",
            file=file,
        )


def _written(value: str, style: str | None) -> str:
    if style == "'":
        return "'" + value.replace("'", "''") + "'"
    if style is None and PLAIN.match(value) and value.lower() not in NOT_TEXT:
        return value
    return json.dumps(value)


def _compose(text: str, file: str) -> Node:
    try:
        root = YAML().compose(io.StringIO(text, newline=""))
    except YAMLError as error:
        raise ConfigError(f"{file} is not valid YAML: {error}", remedy="Correct it.", file=file) from error
    if not isinstance(root, MappingNode):
        raise ConfigError(f"{file} is not a mapping.", remedy="Correct it.", file=file)
    return root


def _scalar(root: Node, path: Sequence[str], file: str) -> _Scalar:
    node: Any = root
    key_end = 0
    for depth, key in enumerate(path):
        pairs = node.value if isinstance(node, MappingNode) else ()
        found = next(((name, value) for name, value in pairs if name.value == key), None)
        if found is None:
            place = Place(file, node.start_mark.line + 1, node.start_mark.column + 1)
            raise missing(file, tuple(path[: depth + 1]), place)
        node, key_end = found[1], found[0].end_mark.index
    if not isinstance(node, ScalarNode):
        raise ConfigError(f"{'.'.join(path)} in {file} is no single value.", remedy="Correct it.", file=file)
    return _Scalar(
        value=str(node.value),
        is_text=node.tag == TEXT_TAG,
        style=node.style,
        start=node.start_mark.index,
        end=node.end_mark.index,
        key_end=key_end,
    )
