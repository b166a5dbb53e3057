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
    """A name and password for a registry; the password is not shown in `repr`."""

    username: str
    password: str = field(repr=False)


def from_docker_config(host: str, config: Path | None = None) -> Credentials | None:
    """Returns the credentials of `docker login` for a host, from config.json or a credential helper.

    There may be none.

    Raises:
        RegistryError: The file or the helper it names cannot be used.
    """
    path = config or Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    if not path.is_file():
        return None
    settings = _parsed(path.read_text(encoding="utf-8", errors="replace"), str(path))
    helper = _first(settings.get("credHelpers", {}), host) or settings.get("credsStore")
    if helper:
        return _ask_helper(helper, host)
    return _from_auths(settings, host)


def from_pull_secret(text: str, host: str) -> Credentials | None:
    """Returns the credentials for a host in the `.dockerconfigjson` of a pull secret; None without any.

    Raises:
        RegistryError: It is not the JSON that Kubernetes expects there.
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
            remedy=f"Run `docker login {host}`, or remove the helper from Docker's config.json.",
        ) from error
    stored = _parsed(answer, f"the answer of docker-credential-{helper}")
    return Credentials(stored["Username"], stored["Secret"])


def _first(entries: Mapping[str, Any], host: str) -> Any:
    keys = DOCKER_HUB_KEYS if host in DOCKER_HUB_KEYS else (host, f"https://{host}", f"https://{host}/")
    return next((entries[key] for key in keys if key in entries), None)


def _parsed(text: str, source: str) -> dict[str, Any]:
    try:
        settings = json.loads(text)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise RegistryError(f"{source} is not a JSON object.", remedy="Create it again with `docker login`.")
    return settings
