"""Tests the check that the nodes can pull the images."""

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest

from todo_release.adapters.registry.credentials import Credentials
from todo_release.artifacts.chart import ImageReference
from todo_release.config.model import RegistrySettings
from todo_release.environments import pull_access
from todo_release.errors import RegistryError

from ..doubles.harness import Harness
from ..shop import Tree

SETTINGS = RegistrySettings(repository="registry.test/shop")
IMAGES = {"web": ImageReference("registry.test/shop/web", "content-1", "sha256:1")}
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {imagePullSecrets: [{name: pull}], containers: []}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
imagePullSecrets: [{name: old}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
"""


def pull_secret(password: str, host: str = "registry.test") -> str:
    """Returns the content of a pull secret."""
    auth = base64.b64encode(f"robot:{password}".encode()).decode()
    return json.dumps({"auths": {host: {"auth": auth}}})


class RegistryDouble:
    """A registry with one image that accepts one password."""

    def __init__(self, credentials: Credentials) -> None:
        """Stores the credentials of the client."""
        self.credentials = credentials

    def __enter__(self) -> "RegistryDouble":
        """Opens nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes nothing."""

    def resolve(self, repository: str, reference: str, platform: str) -> None:
        """Resolves the one image, as the real registry does."""
        assert (repository, reference, platform) == ("shop/web", "sha256:1", "linux/amd64")
        if self.credentials.password != "good":
            raise RegistryError("It refused: 401.", remedy="Log in.")


def check_with(secrets: dict[str, str]) -> int:
    """Runs the check with these secrets in the namespace."""
    cluster = SimpleNamespace(pull_secret=lambda namespace, name: secrets.get(name))
    access: Any = SimpleNamespace(cluster=cluster, settings=SimpleNamespace(namespace="staging"))
    return pull_access.check_pull_access(access, SETTINGS, MANIFEST, IMAGES, RegistryDouble)  # type: ignore[arg-type]  # a double


@pytest.mark.parametrize(
    ("secrets", "tried"),
    [
        ({"pull": pull_secret("good")}, 1),
        ({"pull": pull_secret("bad"), "old": pull_secret("good")}, 2),
        ({}, 0),
        ({"pull": pull_secret("bad", host="other.test")}, 0),
    ],
    ids=["one that works", "one of two works", "none is there", "for another registry"],
)
def test_image_can_be_pulled_with_any_of_the_secrets(secrets: dict[str, str], tried: int) -> None:
    """All secrets of pods and service accounts are tried; without any, the registry is taken to be public."""
    assert check_with(secrets) == tried


def test_secret_that_no_longer_works_is_an_error() -> None:
    """The error names the secret and the registry's answer, and never the password."""
    with pytest.raises(
        RegistryError, match=r"cannot pull registry\.test/shop/web@sha256:1: with pull: It refused"
    ) as refused:
        check_with({"pull": pull_secret("expired")})
    assert "expired" not in str(refused.value)


def test_deployment_checks_pull_access_of_every_image(tree: Tree) -> None:
    """Every deployment checks all images in its own environment."""
    harness = Harness(tree.path)
    harness.release("0.1.0")
    assert harness.pull_checks == [("staging", ["api", "web"]), ("production", ["api", "web"])]
