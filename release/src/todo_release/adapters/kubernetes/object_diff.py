"""Compares two states of an object: what a deployment will change, in lines that a person can read.

Lists of things with a name (containers, variables, ports) are compared by name, so that one added variable is
one line and not a shift of all that follow. Values of Secrets never appear.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

NAMING_KEYS = ("name", "mountPath", "containerPort", "port", "path", "host")
LONGEST = 80
DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")  # twelve digits tell two images apart
HIDDEN = "(hidden)"
NOTHING = "(nothing)"
# Helm and the chart write the version on every object; that it changes is said once, by the plan.
VERSION_LABELS = {"helm.sh/chart", "app.kubernetes.io/version"}


def between(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What differs between two states of one object, as `path: old -> new`; what a Secret holds is hidden."""
    return _changes(old, new, "", is_secret=new.get("kind") == "Secret")


def is_removal(line: str) -> bool:
    """Whether a line of `between` says that something goes."""
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
        yield f"{path}: {HIDDEN} changed" if hide else f"{path}: {shown(old)} -> {shown(new)}"


def _by_name(value: Any) -> Any:
    """A list as a mapping by the name of each item, or by its place when the items have none."""
    if not isinstance(value, list):
        return value
    for key in NAMING_KEYS:
        names = [item.get(key) for item in value if isinstance(item, Mapping)]
        if len(names) == len(value) == len(set(names)) and None not in names:
            return {f"[{name}]": item for name, item in zip(names, value, strict=True)}
    return {f"[{index}]": item for index, item in enumerate(value)}


def shown(value: Any) -> str:
    """A value in a few characters of one line."""
    if value is None:
        return NOTHING
    text = value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True).strip()
    text = DIGEST.sub(r"\1", " ".join(text.removesuffix("...").split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
