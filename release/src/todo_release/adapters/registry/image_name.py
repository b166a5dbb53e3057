"""Parses names of images by the rules of Docker."""

import re

TAG = re.compile(r":(?P<tag>[^:/@]+)$")


def host_of(image: str) -> str:
    """Returns the registry host of an image's name.

    By Docker's rule it is `docker.io` unless the first part of the name looks like a host.
    """
    first, slash, _ = image.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return first if is_host else "docker.io"


def host_of_auth_entry(entry: str) -> str:
    """Returns the host that a key of a pull secret's `auths` means."""
    host = entry.removeprefix("https://").removeprefix("http://").split("/")[0]
    return "docker.io" if host in {"index.docker.io", "registry-1.docker.io"} else host


def split_reference(reference: str) -> tuple[str, str, str]:
    """Returns host, repository, and tag or digest of an image's name, with Docker's defaults."""
    host = host_of(reference)
    name = reference.removeprefix(f"{host}/")
    name, at, digest = name.partition("@")
    tag = TAG.search(name)
    repository = name[: tag.start()] if tag else name
    if host == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    return host, repository, digest if at else (tag["tag"] if tag else "latest")
