"""Finds who set which field of a live object, from what the API server records for server-side apply.

`metadata.managedFields` names for each manager the fields it set, as a tree with `f:` for a field, `k:` for
the item of a list with these keys, and `v:` for a value in a set.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.kubernetes.quantities import parse_quantity
from todo_release.adapters.kubernetes.sleep import MANAGER as SLEEP_MANAGER
from todo_release.core.yaml_positions import YamlPath

OWN_MANAGERS = ("helm", SLEEP_MANAGER)
CONTROLLERS = ("kube-controller-manager",)
NAMING_KEYS = ("name", "mountPath", "containerPort", "port", "ip", "host")


def foreign_fields(live: JsonObject, wanted: JsonObject) -> Iterator[tuple[str, str, YamlPath]]:
    """Yields (manager, time, path) for every field of `wanted` that another manager set to another value."""
    for entry in live["metadata"].get("managedFields") or ():
        manager = entry.get("manager", "")
        if manager in OWN_MANAGERS or manager in CONTROLLERS or entry.get("subresource") == "status":
            continue
        for path in owned_paths(entry.get("fieldsV1") or {}, wanted):
            if not is_equivalent(value_at(live, path, wanted), value_at(wanted, path, wanted)):
                yield manager, entry.get("time", ""), path


def owned_paths(fields: Mapping[str, Any], wanted: Any, path: YamlPath = ()) -> Iterator[YamlPath]:
    """Yields the fields of a `fieldsV1` tree that an object sets too, as paths in that object."""
    part: str | int
    for key, inner in fields.items():
        kind, _, rest = key.partition(":")
        if kind == "f" and isinstance(wanted, Mapping) and rest in wanted:
            below, part = wanted[rest], rest
        elif (
            kind == "k"
            and isinstance(wanted, list)
            and (index := _index(wanted, json.loads(rest))) is not None
        ):
            below, part = wanted[index], index
        else:
            continue
        if inner and inner != {".": {}}:
            yield from owned_paths(inner, below, (*path, part))
        elif not isinstance(below, Mapping | list) or not inner:
            yield (*path, part)


def value_at(live: Any, path: YamlPath, wanted: Any) -> Any:
    """Returns the live value at a path of another object; items of lists are found by their names."""
    for part in path:
        if isinstance(part, int):
            wanted = wanted[part]
            index = _index(live, _name_of(wanted)) if isinstance(live, list) else None
            if index is None:
                return None
            live = live[index]
        elif isinstance(live, Mapping):
            live, wanted = live.get(part), wanted[part]
        else:
            return None
    return live


def is_equivalent(live: Any, wanted: Any) -> bool:
    """Checks whether two values mean the same to Kubernetes, so that `1000m` equals `1`.

    Keys that only the live value has are not compared.
    """
    if not live and not wanted:
        return True
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(
            is_equivalent(live.get(key), inner) for key, inner in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(live, list)
            and len(live) == len(wanted)
            and all(is_equivalent(item, wanted_item) for item, wanted_item in zip(live, wanted, strict=True))
        )
    return bool(live == wanted or _quantity(live) == _quantity(wanted))


def _quantity(value: Any) -> Any:
    try:
        return parse_quantity(value)
    except ValueError:
        return str(value)


def _name_of(item: Any) -> Mapping[str, Any]:
    """Returns the key and value that tell an item of a list from the others."""
    key = next((key for key in NAMING_KEYS if key in item), None) if isinstance(item, Mapping) else None
    return {key: item[key]} if key else {}


def _index(items: list[Any], keys: Mapping[str, Any]) -> int | None:
    """Returns the index of the item with these values; a key that it lacks (a port's protocol) is ignored."""
    for index, item in enumerate(items):
        is_named = isinstance(item, Mapping) and keys.keys() & item.keys()
        if is_named and all(item.get(key, value) == value for key, value in keys.items()):
            return index
    return None
