"""Loads YAML as Helm and kubectl read it, with the C library where PyYAML has it: it is ten times as fast.

Both convert YAML 1.1 to JSON with `sigs.k8s.io/yaml` on top of `go.yaml.in/yaml/v2`. Unlike PyYAML they take
dates, `=` and `1:30` as strings, `y` and `0o17` as a boolean and a number, and every key of a mapping is a
string. The rules for plain scalars follow `resolve.go` of that library.
"""

import base64
import binascii
import math
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from todo_release.core import yaml_numbers

PLAIN = "plain"  # the tag of an unquoted scalar until its value is constructed
MERGE = "<<"
STANDARD = "tag:yaml.org,2002:"
CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **{sign + word: math.inf for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
EXPLICIT_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "null": (type(None),),
}
MAX_VALUES = 4_000_000  # with aliases resolved; the library in Go also refuses documents of such a size

DUPLICATE_ANCHOR = "second occurrence"


class _HelmRules:
    """Helm's rules for values, for a loader of PyYAML."""

    def resolve(self, kind: type[yaml.Node], _value: str | None, implicit: tuple[bool, bool] | bool) -> str:
        """Returns the tag of a node that has none."""
        if kind is yaml.ScalarNode:
            return PLAIN if isinstance(implicit, tuple) and implicit[0] else f"{STANDARD}str"
        return f"{STANDARD}{'map' if kind is yaml.MappingNode else 'seq'}"


class _PlainLoader(_HelmRules, yaml.SafeLoader):
    """Accepts an anchor that is given twice, which the C library refuses and Helm does not."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it out
        if not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(event.anchor, None)
        return super().compose_node(parent, index)


class _CLoader(_HelmRules, getattr(yaml, "CSafeLoader", _PlainLoader)):  # type: ignore[misc]  # computed base
    """The fast loader."""


def compose(text: str) -> list[yaml.Node]:
    """Returns the root node of each document that is not empty; `construct` returns its value.

    Raises:
        yaml.YAMLError: The text is not YAML.
    """
    try:
        return _nodes(_CLoader(text))
    except ComposerError as error:
        if error.problem != DUPLICATE_ANCHOR:
            raise
        return _nodes(_PlainLoader(text))


def construct(node: yaml.Node) -> Any:
    """Returns the value of a document's root node.

    Raises:
        yaml.YAMLError: It has no value in JSON.
    """
    try:
        return _Construction().value(node)
    except RecursionError as error:
        raise _error("the document is nested too deeply", node) from error


def key_of(node: yaml.Node) -> str:
    """Returns a key of a mapping: always a text, `true` for `yes`.

    Raises:
        yaml.YAMLError: JSON has no such key.
    """
    if not isinstance(node, yaml.ScalarNode):
        raise _error("a mapping or a list cannot be a key", node)
    key = _scalar(node)
    if key is None:
        raise _error("null cannot be a key", node)
    return str(key).lower() if isinstance(key, bool) else str(key)


def load(text: str) -> Any:
    """Returns the value of one document; None for an empty one.

    Raises:
        yaml.YAMLError: The text is not YAML, or holds several documents.
    """
    nodes = compose(text)
    if len(nodes) > 1:
        raise _error("another document begins here", nodes[1])
    return construct(nodes[0]) if nodes else None


def load_all(text: str) -> list[Any]:
    """Returns the values of all documents that are not empty.

    Raises:
        yaml.YAMLError: The text is not YAML.
    """
    return [document for node in compose(text) if (document := construct(node))]


def _nodes(loader: Any) -> list[yaml.Node]:
    try:
        nodes = []
        while loader.check_node():
            nodes.append(loader.get_node())
        return nodes
    except RecursionError as error:
        raise yaml.YAMLError("the document is nested too deeply") from error
    finally:
        loader.dispose()


def locate_error(error: yaml.YAMLError, text: str) -> tuple[str, int | None, int | None]:
    """Returns what is wrong with a text, and the line and column where, which count from 1."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "unknown"
        return (problem, mark.line + 1, mark.column + 1) if mark else (problem, None, None)
    if isinstance(error, yaml.reader.ReaderError):
        # The C library counts bytes, PyYAML itself counts characters.
        before = text.encode(errors="replace")[: error.position].decode(errors="replace")
        line_start = before.rfind("\n") + 1
        return str(error.reason), before.count("\n") + 1, len(before) - line_start + 1
    return str(error), None, None


class _Construction:
    """Constructs the values of one document."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._count = 0

    def value(self, node: yaml.Node) -> Any:
        self._count += 1
        if self._count > MAX_VALUES:
            raise _error("the document contains excessive aliasing", node)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if id(node) in self._open:
            raise _error("an anchor's value contains itself", node)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item) for item in node.value]
            return self._mapping(node)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.Node) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in node.value:  # in their order: what is merged replaces the keys before it
            if key.tag == PLAIN and key.value == MERGE:
                result |= self._merged(value)
            else:
                result[key_of(key)] = self.value(value)
        return result

    def _merged(self, node: yaml.Node) -> dict[str, Any]:
        sources = reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]
        result: dict[str, Any] = {}
        for source in sources:  # the first of a list wins
            if not isinstance(source, yaml.MappingNode):
                raise _error("map merge requires map or sequence of maps as the value", source)
            result |= self.value(source)
        return result


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    if node.tag == PLAIN:
        return _finite(_plain(text), node)
    name = str(node.tag).removeprefix(STANDARD)
    if name == "binary":
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode(errors="replace")
        except (binascii.Error, ValueError) as error:
            raise _error("!!binary value contains invalid base64 data", node) from error
    if name not in EXPLICIT_TYPES:
        return text
    value = _plain(text)
    types = EXPLICIT_TYPES[name]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise _error(f"cannot decode `{text}` as a !!{name}", node)
    return _finite(value, node)


def _plain(text: str) -> Any:
    """Returns the value of an unquoted scalar."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    if not text or text[0] not in "+-.0123456789":
        return text
    number = yaml_numbers.parse(text)
    return text if number is None else number


def _finite(value: Any, node: yaml.Node) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise _error(f"{node.value} cannot be written as JSON", node)
    return value


def _error(problem: str, node: yaml.Node) -> ConstructorError:
    return ConstructorError(None, None, problem, node.start_mark)
