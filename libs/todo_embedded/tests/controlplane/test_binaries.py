"""Where the programs of a plane come from."""

import re
from importlib import resources
from pathlib import Path

import pytest

from todo_embedded.controlplane import binaries as programs_module
from todo_embedded.controlplane.binaries import ASSETS, KUBERNETES_VERSION, programs
from todo_embedded.errors import ToolInstallError


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that everything we would build comes from."""
    folder = tmp_path / "built"
    monkeypatch.setattr(programs_module, "go_program", lambda name, *_sources, **_options: folder / name)
    monkeypatch.delenv(ASSETS, raising=False)
    return folder


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of assets with an API server of our version; no etcd yet."""
    folder = tmp_path / "assets"
    folder.mkdir()
    add(folder, "kube-apiserver", f"echo Kubernetes {KUBERNETES_VERSION}")
    monkeypatch.setenv(ASSETS, str(folder))
    return folder


def add(folder: Path, name: str, script: str = "") -> None:
    """Put a program into a folder."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_programs_are_ours_by_default(own: Path) -> None:
    """One binary is all four programs of Kubernetes, told by its first argument which."""
    found = programs()
    assert found.scheduler == (str(own / "controlplane"), "kube-scheduler")
    assert found.etcd == (str(own / "controlplane"), "etcd")
    assert found.kwok == (str(own / "kwok"),)


def test_assets_come_first_and_ours_fill_up(own: Path, assets: Path) -> None:
    """etcd and the API server are those of the folder; what it lacks is ours."""
    add(assets, "etcd")
    add(assets, "kube-scheduler")
    found = programs()
    assert found.etcd == (str(assets / "etcd"),)
    assert found.api_server == (str(assets / "kube-apiserver"),)
    assert found.scheduler == (str(assets / "kube-scheduler"),)
    assert found.controller_manager == (str(own / "controlplane"), "kube-controller-manager")


@pytest.mark.usefixtures("own")
def test_incomplete_assets_are_refused(assets: Path) -> None:
    """A folder without etcd is a mistake that is said, not worked around."""
    with pytest.raises(
        ToolInstallError, match=f"{ASSETS} is '{assets}', which lacks etcd: correct or unset it"
    ):
        programs()


@pytest.mark.usefixtures("own")
def test_assets_of_another_version_are_refused(assets: Path) -> None:
    """Another minor version would not know our flags."""
    add(assets, "etcd")
    add(assets, "kube-apiserver", "echo Kubernetes v1.31.0")
    with pytest.raises(ToolInstallError, match=r"says 'Kubernetes v1\.31\.0', but v1\.34 is needed"):
        programs()


def test_version_is_that_of_the_sources() -> None:
    """What the build is stamped with is what is built."""
    pinned = (resources.files("todo_embedded") / "controlplane_main" / "go.mod").read_text()
    found = re.search(r"k8s\.io/kubernetes (\S+)", pinned)
    assert found is not None
    assert found[1] == KUBERNETES_VERSION
