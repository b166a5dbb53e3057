"""Finds in the values of a chart where images are named, and under which host the application is reached."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

VERSION_KEYS = {"tag", "digest"}
HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
HOST_KEYS = {"host", "hosts", "hostname", "domain"}
REFERENCE = re.compile(r"[\w.-]+(:\d+)?(/[\w.-]+)+(:[\w.-]+)?(@sha256:[0-9a-f]+)?|[\w.-]+:[\w.-]+")


@dataclass(frozen=True, slots=True)
class ImagePlace:
    """A place that names an image: its dotted path, and the repository that stands there, if any."""

    path: str
    repository: str = ""


def image_places(values: Any, path: tuple[str, ...] = ()) -> Iterator[ImagePlace]:
    """Yields every mapping with a tag or digest, and every text below a key that ends in `image`."""
    if not isinstance(values, dict):
        return
    if path and (VERSION_KEYS & values.keys()):
        yield ImagePlace(".".join(path), str(values.get("repository") or ""))
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
