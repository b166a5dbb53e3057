"""Where the binaries of a control plane come from."""

import re
from importlib import resources
from pathlib import Path

import pytest

from todo_embedded.controlplane import binaries
from todo_embedded.controlplane.binaries import ASSETS, KUBERNETES_VERSION, find_binaries
from todo_embedded.errors import ToolInstallError


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes every build return a path in one folder, without building."""
    folder = tmp_path / "built"
    monkeypatch.setattr(binaries, "go_program", lambda name, *_sources, **_options: folder / name)
    monkeypatch.delenv(ASSETS, raising=False)
    return folder


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sets the assets folder to one with an API server of our version and no etcd."""
    folder = tmp_path / "assets"
    folder.mkdir()
    add(folder, "kube-apiserver", f"echo Kubernetes {KUBERNETES_VERSION}")
    monkeypatch.setenv(ASSETS, str(folder))
    return folder


def add(folder: Path, name: str, script: str = "") -> None:
    """Writes a program into a folder."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_binaries_are_built_by_default(built: Path) -> None:
    """One binary contains etcd and three programs of Kubernetes; the first argument selects one."""
    commands = find_binaries()
    assert commands.scheduler == (str(built / "controlplane"), "kube-scheduler")
    assert commands.etcd == (str(built / "controlplane"), "etcd")
    assert commands.kwok == (str(built / "kwok"),)


def test_assets_are_used_and_missing_programs_are_built(built: Path, assets: Path) -> None:
    """Programs come from the assets folder; one that it lacks is built."""
    add(assets, "etcd")
    add(assets, "kube-scheduler")
    commands = find_binaries()
    assert commands.etcd == (str(assets / "etcd"),)
    assert commands.api_server == (str(assets / "kube-apiserver"),)
    assert commands.scheduler == (str(assets / "kube-scheduler"),)
    assert commands.controller_manager == (str(built / "controlplane"), "kube-controller-manager")


def test_complete_assets_need_no_build_of_kubernetes(
    built: Path, assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose folder has all four programs builds kwok alone."""
    for name in ("etcd", "kube-controller-manager", "kube-scheduler"):
        add(assets, name)
    monkeypatch.setattr(binaries, "build_control_plane", None)
    commands = find_binaries()
    assert commands.controller_manager == (str(assets / "kube-controller-manager"),)
    assert commands.kwok == (str(built / "kwok"),)


@pytest.mark.usefixtures("built")
def test_incomplete_assets_are_refused(assets: Path) -> None:
    """An assets folder without etcd is an error that names the folder."""
    with pytest.raises(
        ToolInstallError, match=f"{ASSETS} is '{assets}', which lacks etcd: correct or unset it"
    ):
        find_binaries()


@pytest.mark.usefixtures("built")
def test_assets_of_another_version_are_refused(assets: Path) -> None:
    """Another minor version of the API server is an error, because it would not know our flags."""
    add(assets, "etcd")
    add(assets, "kube-apiserver", "echo Kubernetes v1.31.0")
    with pytest.raises(
        ToolInstallError, match=r"has the version 'Kubernetes v1\.31\.0', but v1\.34 is needed"
    ):
        find_binaries()


def test_version_is_that_of_the_sources() -> None:
    """The version that the build sets is the version in go.mod."""
    pinned = (resources.files("todo_embedded") / "controlplane_main" / "go.mod").read_text()
    commands = re.search(r"k8s\.io/kubernetes (\S+)", pinned)
    assert commands is not None
    assert commands[1] == KUBERNETES_VERSION
