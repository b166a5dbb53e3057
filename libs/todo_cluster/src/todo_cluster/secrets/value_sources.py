"""Collects values from a file, from environment variables, or from a person at a terminal.

None of them is an argument of a command, which other users of the machine and the shell's history would see.
"""

import base64
import getpass
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dotenv import dotenv_values

from todo_cluster.errors import SecretsError
from todo_cluster.secrets.wanted import DOCKER_CONFIG

READABLE_BY_OTHERS = 0o077
# What a person gives for a pull secret; its JSON is made of them.
PULL_INPUTS = ("REGISTRY_USERNAME", "REGISTRY_TOKEN")


def read_file(path: Path) -> dict[str, str]:
    """Returns the values of a file with lines KEY=VALUE; a value in quotes may have several lines.

    Raises:
        SecretsError: The file is missing, readable by others, or has a key without a value.
    """
    if not path.is_file():
        raise SecretsError(f"There is no file {path}.", remedy="Name a file with lines KEY=VALUE.")
    if path.stat().st_mode & READABLE_BY_OTHERS:
        raise SecretsError(f"Other users may read {path}.", remedy=f"Run `chmod 600 {path}` first.")
    values = dotenv_values(path, interpolate=False)
    if broken := sorted(key for key, value in values.items() if value is None):
        raise SecretsError(
            f"{path} has lines without a value: {', '.join(broken)}.", remedy="Write each as KEY=VALUE."
        )
    return {key: value for key, value in values.items() if value is not None}


def read_variables(keys: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the values of those keys that are environment variables."""
    return {key: environ[key] for key in (*keys, *PULL_INPUTS) if environ.get(key)}


def ask(keys: Sequence[str], read: Callable[[str], str] = getpass.getpass) -> dict[str, str]:
    """Asks a person for values without showing them; an empty answer leaves a key out.

    Raises:
        SecretsError: There is nobody to ask.
    """
    if not keys:
        return {}
    if read is getpass.getpass and not sys.stdin.isatty():
        raise SecretsError(
            f"There is nobody to ask for {', '.join(keys)}.",
            remedy="Give them in a file (--file) or as environment variables (--from-environment).",
        )
    answers = {key: read(f"{key} (not shown, empty to leave it as it is): ") for key in keys}
    return {key: value for key, value in answers.items() if value}


def with_pull_secret(values: Mapping[str, str], host: str) -> dict[str, str]:
    """Returns the values with `.dockerconfigjson` in place of the account that it is made of."""
    rest = {key: value for key, value in values.items() if key not in PULL_INPUTS}
    name, token = (values.get(key, "") for key in PULL_INPUTS)
    if name and token:
        auth = base64.b64encode(f"{name}:{token}".encode()).decode()
        rest[DOCKER_CONFIG] = json.dumps(
            {"auths": {host: {"username": name, "password": token, "auth": auth}}}
        )
    return rest
