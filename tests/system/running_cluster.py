"""Starts the cluster of the system tests and says where its parts are.

Only this module knows the program that starts it: `box`, which runs Kubernetes with Dapr, Kafka, PostgreSQL,
an ingress and an image registry, and prints their addresses as shell exports. `BOX` names the program; the
default is beside the checkout. Tests get a kubeconfig, a registry and addresses, as of any cluster.
"""

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

ADDONS = "podman,kafka,postgres,redis,crds,ingress,dapr"
HTTP_ADDRESS = "127.0.0.1:18080"  # the ingress, as this machine reaches it
HTTPS_ADDRESS = "127.0.0.1:18443"
DATABASE_HOST_IN_PODS = "postgres.box.test"
NODE_ADDRESS = "10.87.0.1"  # this machine, as pods reach it
ALERTS_RECEIVER = f"http://{NODE_ADDRESS}:18090/"  # keeps what Alertmanager posts in $ALERTS_FILE


class ClusterStartError(Exception):
    """The cluster's program is missing or failed."""


@dataclass(frozen=True)
class RunningCluster:
    """The addresses of a running cluster; `env` is what the program's `env` command exports."""

    program: Path
    env: dict[str, str]

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return Path(self.env["KUBECONFIG"])

    @property
    def registry(self) -> str:
        """host:port of the image registry, the same here and in pods."""
        return self.env["REGISTRY"]

    @property
    def kafka_libraries(self) -> Path:
        """The folder with the libraries of Apache Kafka that its broker runs with."""
        home = Path(self.env.get("BOX_HOME") or os.environ.get("BOX_HOME") or Path.home() / ".cache/box")
        return max((home / "bin/kafka").iterdir())

    def environ(self) -> dict[str, str]:
        """Returns the environment of a shell in which the exports were evaluated."""
        return {**os.environ, **self.env}


def start(repository: Path, *, more: tuple[str, ...] = ()) -> RunningCluster:
    """Starts the cluster, which takes seconds when it runs already, and returns its addresses.

    `more` names optional parts. Once started, they run until the cluster is stopped. A second start sets
    every part back to what the cluster's program gives it, so a test run starts it once.
    """
    program = Path(os.environ.get("BOX", repository.parent / "shared/cluster/box"))
    if not program.exists():
        raise ClusterStartError(f"no cluster program at {program}; set BOX to the path of `box`")
    for command in (["build"], ["base-images"], ["up", "--with", ",".join((ADDONS, *more))]):
        result = subprocess.run([program, *command], capture_output=True, text=True, check=False)
        if result.returncode:
            raise ClusterStartError(
                f"`box {' '.join(command)}` failed:\n{result.stdout[-2000:]}{result.stderr[-2000:]}"
            )
    printed = subprocess.run([program, "env"], capture_output=True, text=True, check=True).stdout
    exports = dict(re.findall(r"^export (\w+)=(.+)$", printed, re.MULTILINE))
    return RunningCluster(
        program,
        {name: shlex.split(value)[0].replace("$PATH", os.environ["PATH"]) for name, value in exports.items()},
    )
