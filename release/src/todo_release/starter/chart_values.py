"""Finds in the values of a chart where images are named, and under which host the application is reached."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

VERSION_KEYS = {"tag", "digest"}
SHARED_KEYS = ("registry", "tag")
HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
HOST_KEYS = {"host", "hosts", "hostname", "domain"}
REFERENCE = re.compile(r"[\w.-]+(:\d+)?(/[\w.-]+)+(:[\w.-]+)?(@sha256:[0-9a-f]+)?|[\w.-]+:[\w.-]+")


@dataclass(frozen=True, slots=True)
class ImagePlace:
    """A place that names an image: its dotted path, and the repository that stands there, if any.

    `has_version` is True where a tag or a digest stands. `shared` are the paths of what several images have
    in common there; no image has such a place of its own.
    """

    path: str
    repository: str = ""
    has_version: bool = True
    shared: tuple[str, ...] = ()


def image_places(values: Any, path: tuple[str, ...] = ()) -> Iterator[ImagePlace]:
    """Yields every mapping with a repository, tag or digest, and every text of a key that ends in `image`."""
    if not isinstance(values, dict):
        return
    has_version = bool(VERSION_KEYS & values.keys())
    if path and (has_version or (path[-1] == "image" and "repository" in values)):
        is_shared = path[0] == "global" and "repository" not in values
        shared = tuple(".".join((*path, key)) for key in SHARED_KEYS if is_shared and key in values)
        repository = f"{values.get('registry') or ''}/" if shared else str(values.get("repository") or "")
        yield ImagePlace(".".join(path), repository, has_version=has_version, shared=shared)
        return
    for key, value in values.items():
        place = (*path, str(key))
        is_reference = isinstance(value, str) and REFERENCE.fullmatch(value)
        if is_reference and str(key).lower().endswith("image"):
            yield ImagePlace(".".join(place), re.sub(r"@.*|:[\w.-]+$", "", str(value)))
        else:
            yield from image_places(value, place)


def first_host(values: Any) -> str | None:
    """Returns the first host name below a key such as `host` or `hosts`."""
    if isinstance(values, list):
        return next(filter(None, map(first_host, values)), None)
    if not isinstance(values, dict):
        return None
    for key, value in values.items():
        candidates = value if isinstance(value, list) else [value]
        if str(key) in HOST_KEYS:
            for candidate in candidates:
                if isinstance(candidate, str) and HOST.fullmatch(candidate):
                    return candidate
        if found := first_host(value):
            return found
    return None
