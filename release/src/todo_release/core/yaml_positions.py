"""Reads YAML into plain values with the place of each one, so that a mistake is shown where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from todo_release.errors import ConfigError

Path = tuple[str | int, ...]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands; `line` and `column` count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Located:
    """A document: its plain value and the place of every key and item in it, by path from the root."""

    value: Any
    places: Mapping[Path, Place]

    def place(self, path: Path) -> Place | None:
        """Place of the value at `path`, or of its nearest ancestor that was written down."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return None


def read(text: str, file: str) -> Located:
    """Parse one YAML document; `file` is the name shown in errors.

    Raises:
        ConfigError: not YAML, or a key stands twice in one mapping.
    """
    try:
        loader = LOADER(text)
        node = loader.get_single_node()
        if node is None:
            return Located({}, {})
        places: dict[Path, Place] = {(): _place(node, file)}
        _walk(node, (), file, places)
        return Located(loader.construct_document(node), places)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(
            f"This is not valid YAML: {error.problem or error.context}.",
            remedy="Correct the line; most often it is indentation or a missing quote.",
            file=file,
            line=mark.line + 1 if mark else None,
            column=mark.column + 1 if mark else None,
        ) from error


def merge(base: Located, overlay: Located) -> Located:
    """Lay one document over another: mappings key by key, all else as a whole; places follow the values."""
    places = dict(base.places)
    value = _merged(base.value, overlay, (), places)
    return Located(value, places)


def _merged(base: object, overlay: Located, path: Path, places: dict[Path, Place]) -> object:
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
    inside = [known for known in places if known[: len(path)] == path and len(known) > len(path)]
    for known in inside:
        del places[known]
    places.update({known: place for known, place in overlay.places.items() if known[: len(path)] == path})
    return over


def _place(node: yaml.Node, file: str) -> Place:
    return Place(file, node.start_mark.line + 1, node.start_mark.column + 1)


def _walk(node: yaml.Node, path: Path, file: str, places: dict[Path, Place]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, key.value)
            if inner in places:
                raise ConfigError(
                    f"The key {key.value!r} stands twice in one mapping.",
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


def dotted(path: Path) -> str:
    """A path as people write it: `spec.containers[0].image`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
