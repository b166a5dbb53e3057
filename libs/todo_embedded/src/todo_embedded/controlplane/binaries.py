"""The programs of a control plane: those of $KUBEBUILDER_ASSETS, else our own, built once from Go modules.

`controlplane_main` links etcd and three programs of Kubernetes into one binary, `kwok_main` is kwok as it is.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from todo_embedded.errors import ToolInstallError
from todo_embedded.gobuild import go_program
from todo_embedded.tools import Progress, ignore_progress

KUBERNETES_VERSION = "v1.34.4"  # of controlplane_main/go.mod
KWOK_PACKAGE = "sigs.k8s.io/kwok/cmd/kwok"
ASSETS = "KUBEBUILDER_ASSETS"
REQUIRED_ASSETS = ("etcd", "kube-apiserver")  # what setup-envtest, the convention's origin, puts there
OPTIONAL_ASSETS = ("kube-controller-manager", "kube-scheduler")
VERSION_TIMEOUT_SECONDS = 30

Command = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Programs:
    """How each program is called, without its flags."""

    etcd: Command
    api_server: Command
    controller_manager: Command
    scheduler: Command
    kwok: Command


def programs(*, progress: Progress = ignore_progress) -> Programs:
    """Return the programs, building first what this machine lacks.

    etcd and kube-apiserver are those of the folder $KUBEBUILDER_ASSETS when it is set. The controller manager
    and the scheduler are taken from there too where present (setup-envtest brings neither), else they are our
    own; kwok always is. Raises ToolInstallError, also when that API server is of another minor version than
    ours: it would not know our flags, and a controller manager must not be newer than its API server.
    """
    kwok = go_program(
        "kwok",
        "kwok_main",
        package=KWOK_PACKAGE,
        minutes=2,
        remedy="build on a machine that has one and copy its ~/.cache/todo",
        progress=progress,
    )
    found = _assets()
    if any(name not in found for name in (*REQUIRED_ASSETS, *OPTIONAL_ASSETS)):
        own = str(built_programs(progress=progress))
        found = {name: (own, name) for name in (*REQUIRED_ASSETS, *OPTIONAL_ASSETS)} | found
    return Programs(
        etcd=found["etcd"],
        api_server=found["kube-apiserver"],
        controller_manager=found["kube-controller-manager"],
        scheduler=found["kube-scheduler"],
        kwok=(str(kwok),),
    )


def built_programs(*, progress: Progress = ignore_progress) -> Path:
    """Return our binary of etcd and the Kubernetes programs, building it first when needed."""
    major, minor = KUBERNETES_VERSION.lstrip("v").split(".")[:2]
    stamps = {"gitVersion": KUBERNETES_VERSION, "gitMajor": major, "gitMinor": minor}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return go_program(
        "controlplane",
        "controlplane_main",
        minutes=4,
        remedy=f"set {ASSETS} to a folder with {', '.join((*REQUIRED_ASSETS, *OPTIONAL_ASSETS))}",
        ldflags=" ".join(
            f"-X {package}.{name}={value}" for package in packages for name, value in stamps.items()
        ),
        progress=progress,
    )


def _assets() -> dict[str, Command]:
    folder = os.environ.get(ASSETS)
    if not folder:
        return {}
    names = (*REQUIRED_ASSETS, *OPTIONAL_ASSETS)
    found: dict[str, Command] = {
        name: (str(path),) for name in names if (path := Path(folder) / name).exists()
    }
    missing = [name for name in REQUIRED_ASSETS if name not in found]
    if missing:
        raise ToolInstallError(
            f"{ASSETS} is {folder!r}, which lacks {' and '.join(missing)}: correct or unset it"
        )
    _check_version(found["kube-apiserver"][0])
    return found


def _check_version(api_server: str) -> None:
    result = subprocess.run(
        [api_server, "--version"],
        capture_output=True,
        text=True,
        timeout=VERSION_TIMEOUT_SECONDS,
        check=False,
    )
    minor = ".".join(KUBERNETES_VERSION.split(".")[:2])
    if not re.match(rf"Kubernetes {re.escape(minor)}\.", result.stdout):
        said = (result.stdout or result.stderr).strip()
        raise ToolInstallError(
            f"{api_server} of {ASSETS} says {said!r}, but {minor} is needed: replace or unset it"
        )
