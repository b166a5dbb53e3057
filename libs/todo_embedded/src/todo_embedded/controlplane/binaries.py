"""Finds the control plane's binaries in $KUBEBUILDER_ASSETS, or builds them once from Go modules.

`controlplane_main` links etcd and three programs of Kubernetes into one binary; `kwok_main` is kwok
unchanged.

Nothing prebuilt is downloaded. The archives of envtest have etcd and kube-apiserver only, and a build of the
other two programs compiles 2,328 of the same 2,442 packages; no wheel, npm package or Go module has any of
them as a binary. On Linux a person can fill the folder from dl.k8s.io (docs/guides/releasing.md).
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from todo_embedded.errors import ToolInstallError
from todo_embedded.gobuild import go_program
from todo_embedded.process import run
from todo_embedded.tools import OnMessage, ignore_progress

KUBERNETES_VERSION = "v1.34.4"  # of controlplane_main/go.mod
KWOK_PACKAGE = "sigs.k8s.io/kwok/cmd/kwok"
ASSETS = "KUBEBUILDER_ASSETS"
REQUIRED_ASSETS = ("etcd", "kube-apiserver")  # what setup-envtest, which defined the variable, installs
OPTIONAL_ASSETS = ("kube-controller-manager", "kube-scheduler")
VERSION_TIMEOUT_SECONDS = 30

Command = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ControlPlaneBinaries:
    """The command of each program, without its flags."""

    etcd: Command
    api_server: Command
    controller_manager: Command
    scheduler: Command
    kwok: Command


def find_binaries(*, progress: OnMessage = ignore_progress) -> ControlPlaneBinaries:
    """Returns the binaries, building those that this machine lacks.

    With $KUBEBUILDER_ASSETS set, etcd and kube-apiserver come from that folder; the controller manager and
    the scheduler too if it has them (setup-envtest installs neither). kwok is always built from `kwok_main`.

    Raises:
        ToolInstallError: a build failed, or the API server in $KUBEBUILDER_ASSETS has another minor version.
            It would not know our flags, and a controller manager must not be newer than its API server.
    """
    kwok = go_program(
        "kwok",
        "kwok_main",
        package=KWOK_PACKAGE,
        minutes=2,
        remedy="build on a machine that has one and copy its ~/.cache/todo",
        progress=progress,
    )
    commands = _asset_commands()
    if any(name not in commands for name in (*REQUIRED_ASSETS, *OPTIONAL_ASSETS)):
        built = str(build_control_plane(progress=progress))
        commands = {name: (built, name) for name in (*REQUIRED_ASSETS, *OPTIONAL_ASSETS)} | commands
    return ControlPlaneBinaries(
        etcd=commands["etcd"],
        api_server=commands["kube-apiserver"],
        controller_manager=commands["kube-controller-manager"],
        scheduler=commands["kube-scheduler"],
        kwok=(str(kwok),),
    )


def build_control_plane(*, progress: OnMessage = ignore_progress) -> Path:
    """Returns the binary with etcd and the Kubernetes programs, building it on first use."""
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


def _asset_commands() -> dict[str, Command]:
    folder = os.environ.get(ASSETS)
    if not folder:
        return {}
    names = (*REQUIRED_ASSETS, *OPTIONAL_ASSETS)
    commands: dict[str, Command] = {
        name: (str(path),) for name in names if (path := Path(folder) / name).exists()
    }
    missing = [name for name in REQUIRED_ASSETS if name not in commands]
    if missing:
        raise ToolInstallError(
            f"{ASSETS} is {folder!r}, which lacks {' and '.join(missing)}: correct or unset it"
        )
    _check_version(commands["kube-apiserver"][0])
    return commands


def _check_version(api_server: str) -> None:
    result = run([api_server, "--version"], timeout_seconds=VERSION_TIMEOUT_SECONDS)
    minor = ".".join(KUBERNETES_VERSION.split(".")[:2])
    if not re.match(rf"Kubernetes {re.escape(minor)}\.", result.stdout):
        answer = (result.stdout or result.stderr).strip()
        raise ToolInstallError(
            f"{api_server} of {ASSETS} has the version {answer!r}, but {minor} is needed: replace or unset it"
        )
