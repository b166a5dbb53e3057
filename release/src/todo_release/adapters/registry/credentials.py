"""Finds the name and password of an image registry where Docker, Podman and Kubernetes keep them."""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from todo_release.adapters import process
from todo_release.errors import CommandError, RegistryError

DOCKER_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
HELPER_HAS_NONE = "credentials not found"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a registry wants to see; the password is never shown."""

    username: str
    password: str = field(repr=False)


def from_docker_config(host: str, config: Path | None = None) -> Credentials | None:
    """What `docker login` left for a host in its config.json, directly or in a credential helper; None if
    nothing.

    Raises:
        RegistryError: the file or the helper it names cannot be used.
    """
    path = config or Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    if not path.is_file():
        return None
    settings = _parsed(path.read_text(encoding="utf-8"), str(path))
    helper = _first(settings.get("credHelpers", {}), host) or settings.get("credsStore")
    if helper:
        return _ask_helper(helper, host)
    return _from_auths(settings, host)


def from_pull_secret(text: str, host: str) -> Credentials | None:
    """What the `.dockerconfigjson` of a Kubernetes pull secret says about a host; None if nothing.

    Raises:
        RegistryError: it is not the JSON that Kubernetes expects there.
    """
    return _from_auths(_parsed(text, "the pull secret"), host)


def _from_auths(settings: Mapping[str, Any], host: str) -> Credentials | None:
    entry = _first(settings.get("auths", {}), host)
    if not entry:
        return None
    if "auth" in entry:
        username, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        return Credentials(username, password)
    if "username" in entry:
        return Credentials(entry["username"], entry.get("password", ""))
    return None


def _ask_helper(helper: str, host: str) -> Credentials | None:
    key = DOCKER_HUB_KEYS[0] if host in DOCKER_HUB_KEYS else host
    try:
        answer = process.run([f"docker-credential-{helper}", "get"], stdin=key).stdout
    except CommandError as error:
        if HELPER_HAS_NONE in error.problem:
            return None
        raise RegistryError(
            f"The credential helper {helper!r} gave nothing for {host}: {error.problem}",
            remedy=f"Run `docker login {host}`, or take the helper out of Docker's config.json.",
        ) from error
    found = _parsed(answer, f"the answer of docker-credential-{helper}")
    return Credentials(found["Username"], found["Secret"])


def _first(entries: Mapping[str, Any], host: str) -> Any:
    keys = DOCKER_HUB_KEYS if host in DOCKER_HUB_KEYS else (host, f"https://{host}", f"https://{host}/")
    return next((entries[key] for key in keys if key in entries), None)


def _parsed(text: str, source: str) -> dict[str, Any]:
    try:
        settings = json.loads(text)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise RegistryError(f"{source} is not a JSON object.", remedy="Write it again with `docker login`.")
    return settings
