"""Which versions of Helm the engine works with."""

from pathlib import Path

import pytest

from todo_release.adapters.helm.cli import Helm, HelmVersion
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.errors import HelmError

from ...doubles.kubernetes_api import ApiDouble


def helm_that_prints(answer: str, folder: Path, api: ApiDouble) -> Helm:
    """Returns the adapter of a program that calls itself a version."""
    program = folder / "helm"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    cluster = Cluster.connect("here", api.kubeconfig(folder))
    return Helm("here", "shop", cluster=cluster, program=str(program))


@pytest.mark.parametrize(
    ("answer", "version"), [("v3.17.0", (3, 17, 0)), ("v4.2.4", (4, 2, 4)), ("v4.2", (4, 2, 0))]
)
def test_helm_3_and_4_are_supported(
    api: ApiDouble, tmp_path: Path, answer: str, version: tuple[int, int, int]
) -> None:
    """One that `go install` has built does not know its patch."""
    assert helm_that_prints(answer, tmp_path, api).version() == HelmVersion(*version)


@pytest.mark.parametrize("answer", ["v3.16.4", "v2.17.0", "v5.0.0", "unknown"])
def test_other_versions_are_refused(api: ApiDouble, tmp_path: Path, answer: str) -> None:
    """The error names the version and what to install."""
    with pytest.raises(HelmError, match=rf"Helm {answer.lstrip('v')} is not supported\. Install Helm 4"):
        helm_that_prints(answer, tmp_path, api).version()
