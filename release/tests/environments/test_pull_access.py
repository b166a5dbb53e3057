"""Whether the nodes will be able to pull."""

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

from ..doubles.world import World
from ..shop import Tree

SETTINGS = RegistrySettings(repository="registry.test/shop")
IMAGES = {"web": ImageReference("registry.test/shop/web", "content-1", "sha256:1")}
MANIFEST = """\
kind: Deployment
spec: {template: {spec: {imagePullSecrets: [{name: pull}], containers: []}}}
---
kind: ServiceAccount
imagePullSecrets: [{name: old}]
---
kind: Service
"""


def pull_secret(password: str, host: str = "registry.test") -> str:
    """What Kubernetes keeps in a pull secret."""
    auth = base64.b64encode(f"robot:{password}".encode()).decode()
    return json.dumps({"auths": {host: {"auth": auth}}})


class Registry:
    """Lets in whoever knows the password, and has one image."""

    asked: list[tuple[str, str, str]]

    def __init__(self, credentials: Credentials) -> None:
        """Remember who came."""
        self.credentials = credentials
        self.asked = []

    def __enter__(self) -> "Registry":
        """Nothing to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def resolve(self, repository: str, reference: str, platform: str) -> None:
        """As the real one, for what is asked here."""
        assert (repository, reference, platform) == ("shop/web", "sha256:1", "linux/amd64")
        if self.credentials.password != "good":
            raise RegistryError("It refused: 401.", remedy="Log in.")


def check(secrets: dict[str, str]) -> int:
    """Look with these secrets in the namespace."""
    cluster = SimpleNamespace(pull_secret=lambda namespace, name: secrets.get(name))
    access: Any = SimpleNamespace(cluster=cluster, settings=SimpleNamespace(namespace="staging"))
    return pull_access.check(access, SETTINGS, MANIFEST, IMAGES, Registry)  # type: ignore[arg-type]  # a double


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
    """As the kubelet tries them, in pods and service accounts; without any the registry is taken to be
    public.
    """
    assert check(secrets) == tried


def test_secret_that_no_longer_works_is_found_before_the_rollout() -> None:
    """With the secret's name, what the registry said, and never the password."""
    with pytest.raises(
        RegistryError, match=r"cannot pull registry\.test/shop/web@sha256:1: with pull: It refused"
    ) as no:
        check({"pull": pull_secret("expired")})
    assert "expired" not in str(no.value)


def test_every_deployment_asks_before_it_changes_anything(tree: Tree) -> None:
    """In each environment, about every image."""
    world = World(tree.path)
    world.release("0.1.0")
    assert world.pulls == [("staging", ["api", "web"]), ("production", ["api", "web"])]
