"""Compares two states of an object and describes the changes in lines that a person can read.

Lists of items with a name (containers, variables, ports) are compared by name, so that one added variable is
one line and not a change of all that follow. Values of Secrets never appear.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from todo_release.core.masking import HIDDEN

NAMING_KEYS = ("name", "mountPath", "containerPort", "port", "path", "host")
MAX_LENGTH = 80
DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")  # twelve digits distinguish two images
NOTHING = "(nothing)"
# Helm and the chart write the version on every object; the plan states once that it changes.
VERSION_LABELS = {"helm.sh/chart", "app.kubernetes.io/version"}


def describe_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yields the differences of two states of an object as `path: old -> new`, without values of Secrets."""
    return _changes(old, new, "", is_secret=new.get("kind") == "Secret")


def is_removal(line: str) -> bool:
    """Checks whether a line of `describe_changes` says that a field is removed."""
    return line.endswith(f"-> {NOTHING}")


def _changes(old: Any, new: Any, path: str, *, is_secret: bool) -> Iterator[str]:
    old, new = _by_name(old), _by_name(new)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            if key not in VERSION_LABELS:
                inner = f"{path}.{key}" if path else str(key)
                yield from _changes(old.get(key), new.get(key), inner, is_secret=is_secret)
    elif old != new:
        hide = is_secret and path.partition(".")[0] in {"data", "stringData"}
        yield f"{path}: {HIDDEN} changed" if hide else f"{path}: {abbreviated(old)} -> {abbreviated(new)}"


def _by_name(value: Any) -> Any:
    """Returns a list as a mapping by the name of each item, or by its index when the items have no name."""
    if not isinstance(value, list):
        return value
    for key in NAMING_KEYS:
        names = [item.get(key) for item in value if isinstance(item, Mapping)]
        if len(names) == len(value) == len(set(names)) and None not in names:
            return {f"[{name}]": item for name, item in zip(names, value, strict=True)}
    return {f"[{index}]": item for index, item in enumerate(value)}


def abbreviated(value: Any) -> str:
    """Returns a value in one line of at most MAX_LENGTH characters."""
    if value is None:
        return NOTHING
    text = value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True).strip()
    text = DIGEST.sub(r"\1", " ".join(text.removesuffix("...").split()))
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 1]}…"
