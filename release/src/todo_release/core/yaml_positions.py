"""Reads YAML into plain values with the position of each one, so that a message can name file and line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from todo_release.core import yaml_loader
from todo_release.errors import ConfigError

YamlPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a value in a file; `line` and `column` count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class LocatedDocument:
    """A document: its plain value, and the place of every key and item by its path from the root."""

    value: Any
    places: Mapping[YamlPath, Place]

    def place(self, path: YamlPath) -> Place | None:
        """Returns the place of the value at `path`, or of its nearest ancestor that has one."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return None


def read(text: str, file: str) -> LocatedDocument:
    """Parses one YAML document; `file` is the name that errors show.

    Raises:
        ConfigError: The text is not YAML, or one mapping has the same key twice.
    """
    try:
        nodes = yaml_loader.compose(text)
        if not nodes:
            return LocatedDocument({}, {})
        if len(nodes) > 1:
            raise yaml.MarkedYAMLError(
                problem="another document begins here", problem_mark=nodes[1].start_mark
            )
        node = nodes[0]
        value = yaml_loader.construct(node)  # refuses what could not be walked
        places: dict[YamlPath, Place] = {(): _place(node, file)}
        _walk(node, (), file, places)
        return LocatedDocument(value, places)
    except yaml.YAMLError as error:
        problem, line, column = yaml_loader.locate_error(error, text)
        raise ConfigError(
            f"This is not valid YAML: {problem}.",
            remedy="Correct the line; most often it is indentation or a missing quote.",
            file=file,
            line=line,
            column=column,
        ) from error


def merge(base: LocatedDocument, overlay: LocatedDocument) -> LocatedDocument:
    """Lays one document over another: mappings key by key, other values as a whole.

    The place of each value is the one in the document that it comes from.
    """
    places = dict(base.places)
    value = _merged(base.value, overlay, (), places)
    return LocatedDocument(value, places)


def _merged(base: object, overlay: LocatedDocument, path: YamlPath, places: dict[YamlPath, Place]) -> object:
    over = overlay.value
    for part in path:
        over = over[part]
    if path in overlay.places:
        places[path] = overlay.places[path]
    if isinstance(base, dict) and isinstance(over, dict):
        result = dict(base)
        for key in over:
            result[key] = _merged(base.get(key), overlay, (*path, key), places)
        return result
    replaced = [inner for inner in places if inner[: len(path)] == path and len(inner) > len(path)]
    for inner in replaced:
        del places[inner]
    places.update({inner: place for inner, place in overlay.places.items() if inner[: len(path)] == path})
    return over


def _place(node: yaml.Node, file: str) -> Place:
    return Place(file, node.start_mark.line + 1, node.start_mark.column + 1)


def _walk(node: yaml.Node, path: YamlPath, file: str, places: dict[YamlPath, Place]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, yaml_loader.key_of(key))
            if inner in places:
                raise ConfigError(
                    f"The key {key.value!r} is in this mapping twice.",
                    remedy=f"Remove one of the two; the first is in line {places[inner].line}.",
                    file=file,
                    line=key.start_mark.line + 1,
                    column=key.start_mark.column + 1,
                )
            places[inner] = _place(key, file)
            _walk(value, inner, file, places)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            places[(*path, index)] = _place(item, file)
            _walk(item, (*path, index), file, places)


def dotted(path: YamlPath) -> str:
    """Returns a path as people write it: `spec.containers[0].image`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
