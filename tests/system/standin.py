"""The cluster that stands in for the real one, and what a cluster has before our chart comes.

This is the only place that knows the stand-in: a command `box` that starts a Kubernetes with Dapr, Kafka,
PostgreSQL, an ingress and an image registry, and prints where they are as shell exports. `BOX` names it; the
default is beside the checkout. Tests get a kubeconfig, a registry and addresses, as they would anywhere.
"""

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

ADDONS = "podman,kafka,postgres,redis,crds,ingress,dapr"
HTTP_ADDRESS = "127.0.0.1:18080"  # the ingress, seen from this machine
HTTPS_ADDRESS = "127.0.0.1:18443"
DATABASE_HOST_IN_PODS = "postgres.box.test"


class StandinError(Exception):
    """The stand-in cluster is missing or did not start."""


@dataclass(frozen=True)
class Standin:
    """Where the parts of a running stand-in are; `env` is what its own `env` command exports."""

    program: Path
    env: dict[str, str]

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return Path(self.env["KUBECONFIG"])

    @property
    def registry(self) -> str:
        """host:port of the image registry, for pushing from here and pulling in pods."""
        return self.env["REGISTRY"]

    def environ(self) -> dict[str, str]:
        """The environment of a person who has `eval`ed the exports."""
        return {**os.environ, **self.env}


def start(repository: Path) -> Standin:
    """Start the stand-in (idempotent; seconds when it is up) and return where its parts are."""
    program = Path(os.environ.get("BOX", repository.parent / "shared/cluster/box"))
    if not program.exists():
        raise StandinError(f"no stand-in cluster at {program}; set BOX to its `box` program")
    for command in (["build"], ["base-images"], ["up", "--with", ADDONS]):
        done = subprocess.run([program, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise StandinError(
                f"`box {' '.join(command)}` failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
    printed = subprocess.run([program, "env"], capture_output=True, text=True, check=True).stdout
    exports = dict(re.findall(r"^export (\w+)=(.+)$", printed, re.MULTILINE))
    return Standin(
        program,
        {name: shlex.split(value)[0].replace("$PATH", os.environ["PATH"]) for name, value in exports.items()},
    )
