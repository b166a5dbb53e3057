"""Compares two rendered charts object by object: what a deployment will change, in lines a person can read.

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


def changes(old: str, new: str) -> tuple[str, ...]:
    """What differs between two manifests, as `+ Kind/name`, `- Kind/name` and `~ Kind/name: path: old ->
    new`.
    """
    before, after = _objects(old), _objects(new)
    lines = [f"+ {name}" for name in after if name not in before]
    lines += [f"- {name}" for name in before if name not in after]
    for name, document in after.items():
        if name in before:
            is_secret = document.get("kind") == "Secret"
            lines += [
                f"~ {name}: {change}" for change in _changes(before[name], document, "", is_secret=is_secret)
            ]
    return tuple(lines)


def _objects(manifest: str) -> dict[str, dict[str, Any]]:
    documents = (document for document in yaml.load_all(manifest, Loader=LOADER) if document)
    return {f"{document['kind']}/{document['metadata']['name']}": document for document in documents}


def _changes(old: Any, new: Any, path: str, *, is_secret: bool) -> Iterator[str]:
    old, new = _by_name(old), _by_name(new)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            if key not in VERSION_LABELS:
                inner = f"{path}.{key}" if path else str(key)
                yield from _changes(old.get(key), new.get(key), inner, is_secret=is_secret)
    elif old != new:
        hide = is_secret and path.partition(".")[0] in {"data", "stringData"}
        yield f"{path}: {HIDDEN} changed" if hide else f"{path}: {_shown(old)} -> {_shown(new)}"


def _by_name(value: Any) -> Any:
    """A list as a mapping by the name of each item, or by its place when the items have none."""
    if not isinstance(value, list):
        return value
    for key in NAMING_KEYS:
        names = [item.get(key) for item in value if isinstance(item, Mapping)]
        if len(names) == len(value) == len(set(names)) and None not in names:
            return {f"[{name}]": item for name, item in zip(names, value, strict=True)}
    return {f"[{index}]": item for index, item in enumerate(value)}


def _shown(value: Any) -> str:
    if value is None:
        return NOTHING
    text = value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True).strip()
    text = DIGEST.sub(r"\1", " ".join(text.removesuffix("...").split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


# The C loader is ten times as fast; PyYAML has it wherever libyaml was there when it was built.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
