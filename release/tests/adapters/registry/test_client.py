"""The registry: what is there, what a node would pull, one more tag, and whom it believes.

The contract tests run against the stand-in and against a real registry.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from todo_embedded.registry import image_registry
from todo_release.adapters.registry.auth import DeniedError
from todo_release.adapters.registry.client import MissingError, Registry, ResolvedImage
from todo_release.adapters.registry.credentials import Credentials
from todo_release.errors import RegistryError

from ...doubles.pushed_image import MANIFEST, push_image, push_index, push_manifest
from ...doubles.registry import PASSWORD, USER, RegistryDouble, serve

Connect = Callable[..., Registry]


@dataclass(frozen=True)
class Shop:
    """A repository: an index `all` over the images `one` (amd64) and `other` (arm64); their digests."""

    host: str
    path: str
    one: str
    other: str
    all: str
    registry: Registry


@pytest.fixture
def double() -> Iterator[RegistryDouble]:
    """A registry of one's own, empty."""
    with serve(RegistryDouble()) as running:
        yield running


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes registries that do not wait between two tries, and closes them."""
    with ExitStack() as stack:

        def connected(host: str, **options: Any) -> Registry:
            settings = {"insecure": True, "pause": lambda _seconds: None, **options}
            return stack.enter_context(Registry(host, **settings))

        yield connected


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whoever runs the tests keeps their own credentials out of them."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path_factory.mktemp("docker")))


@pytest.fixture(scope="module")
def real() -> Iterator[str]:
    """Host of a real registry."""
    with image_registry() as host:
        yield host


@pytest.fixture(params=["double", "real"])
def shop(request: pytest.FixtureRequest, double: RegistryDouble, real: str, connect: Connect) -> Shop:
    """The same repository in the stand-in and in a real registry."""
    return filled(double.host if request.param == "double" else real, connect)


def filled(host: str, connect: Connect) -> Shop:
    """Push the shop's images."""
    path = f"shop-{uuid.uuid4().hex[:8]}/web"
    one = push_image(host, path, "one")
    other = push_image(host, path, "other", architecture="arm64")
    every = push_index(host, path, "all", {"amd64": one, "arm64": other})
    return Shop(host, path, one, other, every, connect(host))


def test_digest_of_a_tag_is_what_was_pushed(shop: Shop) -> None:
    """An index has a digest of its own; a digest stands for itself."""
    assert shop.registry.digest(shop.path, "one") == shop.one
    assert shop.registry.digest(shop.path, "all") == shop.all
    assert shop.registry.digest(shop.path, shop.other) == shop.other


def test_digest_of_what_is_not_there_is_none(shop: Shop) -> None:
    """A tag, a digest and a whole repository may be missing."""
    assert shop.registry.digest(shop.path, "none") is None
    assert shop.registry.digest(shop.path, f"sha256:{'0' * 64}") is None
    assert shop.registry.digest("no/such", "one") is None


def test_resolve_follows_an_index_to_the_image_of_the_platform(shop: Shop) -> None:
    """Digest of the index, digest of the child, its configuration and what a node downloads."""
    found = shop.registry.resolve(shop.path, "all")
    assert (found.digest, found.platform_digest, found.size_bytes) == (shop.all, shop.one, 5)
    assert (found.labels, found.env) == ({"build": "x"}, {"PATH": "/bin", "OPTIONS": "a=b"})
    assert shop.registry.resolve(shop.path, "all", "linux/arm64").platform_digest == shop.other


def test_resolve_of_an_image_without_an_index_is_the_image(shop: Shop) -> None:
    """Both digests are the same then, and the configuration is another thing."""
    found = shop.registry.resolve(shop.path, shop.one)
    assert found.digest == found.platform_digest == shop.one
    assert found.config_digest not in {shop.one, shop.other}


def test_resolve_refuses_an_index_without_the_platform(shop: Shop) -> None:
    """The index is there, but no node can pull it; the message says what there is."""
    push_index(shop.host, shop.path, "arm", {"arm64": shop.other})
    with pytest.raises(RegistryError, match=r"arm has no image for linux/amd64, only linux/arm64"):
        shop.registry.resolve(shop.path, "arm")


def test_resolve_refuses_an_image_of_another_platform(shop: Shop) -> None:
    """An image built on a laptop with another processor has no index to tell."""
    with pytest.raises(RegistryError, match="is made for linux/arm64, the nodes are linux/amd64"):
        shop.registry.resolve(shop.path, "other")


def test_resolve_refuses_what_is_not_there(shop: Shop) -> None:
    """With what the registry said."""
    with pytest.raises(RegistryError, match=r"refused to read .*:none: 404 MANIFEST_UNKNOWN"):
        shop.registry.resolve(shop.path, "none")


def test_tag_gives_an_image_one_more_name(shop: Shop) -> None:
    """The digest stays the same; a tag that exists is moved."""
    for digest in (shop.one, shop.all):
        shop.registry.tag(shop.path, digest, "v1.2.3")
        assert shop.registry.digest(shop.path, "v1.2.3") == digest


def test_tag_refuses_an_image_that_is_not_there(shop: Shop) -> None:
    """Nothing is made up."""
    with pytest.raises(RegistryError, match="404"):
        shop.registry.tag(shop.path, f"sha256:{'0' * 64}", "v1.2.3")


def test_digest_is_computed_when_the_registry_does_not_state_it(
    double: RegistryDouble, connect: Connect
) -> None:
    """The header is optional in the protocol."""
    shop = filled(double.host, connect)
    double.hides_digest = True
    assert shop.registry.digest(shop.path, "one") == shop.one


@pytest.mark.parametrize("kind", ["manifests", "blobs"])
def test_content_that_is_not_what_its_digest_says_is_refused(
    double: RegistryDouble, connect: Connect, kind: str
) -> None:
    """A damaged storage, or a proxy with ideas of its own."""
    shop = filled(double.host, connect)
    for path in [path for path in double.content if f"/{kind}/sha256:" in path]:
        double.content[path] += b" "
    with pytest.raises(RegistryError, match="gave other content"):
        shop.registry.resolve(shop.path, shop.one)


def test_an_index_that_lists_no_platforms_is_refused(double: RegistryDouble, connect: Connect) -> None:
    """Attestations are entries too, without a platform to run on."""
    shop = filled(double.host, connect)
    entry = {"mediaType": MANIFEST, "digest": shop.one, "size": 1}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}
    push_manifest(shop.host, shop.path, "bare", index)
    with pytest.raises(RegistryError, match="no image for linux/amd64, only none"):
        shop.registry.resolve(shop.path, "bare")


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_challenge_is_answered_once_for_each_repository_and_right(
    double: RegistryDouble, connect: Connect, auth: str
) -> None:
    """Later requests bring the token they have; writing asks for another one."""
    shop = filled(double.host, connect)
    double.auth = auth
    double.requests.clear()
    credentials = Credentials(USER, PASSWORD)
    registry = connect(double.host, credentials=credentials)
    assert isinstance(registry.resolve(shop.path, "all"), ResolvedImage)
    asked = [one for one in double.requests if "/token" not in one]
    assert len(asked) == 1 + 3
    registry.tag(shop.path, shop.one, "v2")
    tokens = [one for one in double.requests if "/token" in one]
    assert tokens == (["GET /token?service=shop&scope=repository%3Aa%3Apull"] * 2 if auth == "bearer" else [])


@pytest.mark.parametrize(
    ("auth", "credentials", "said"),
    [
        ("basic", None, "refused to look up .* 401 Unauthorized"),
        ("basic", Credentials(USER, "wrong"), "refused to look up .* 401 Unauthorized"),
        ("bearer", Credentials(USER, "wrong"), "token service of 127.0.0.1 refused: 403"),
        ("bearer", None, "token service of 127.0.0.1 refused: 403"),
    ],
)
def test_a_refusal_is_an_error_and_never_missing(
    double: RegistryDouble, connect: Connect, auth: str, credentials: Credentials | None, said: str
) -> None:
    """An image one may not see is not an image that is not there."""
    shop = filled(double.host, connect)
    double.auth = auth
    registry = connect(double.host, credentials=credentials)
    with pytest.raises(RegistryError, match=said) as caught:
        registry.digest(shop.path, "one")
    assert "docker login" in caught.value.remedy


def test_credentials_of_docker_login_are_used_when_none_are_given(
    double: RegistryDouble, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What `docker login` wrote into its config.json."""
    shop = filled(double.host, connect)
    double.auth = "basic"
    config = {"auths": {double.host: {"username": USER, "password": PASSWORD}}}
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert connect(double.host).digest(shop.path, "one") == shop.one


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_fault_is_tried_again(double: RegistryDouble, connect: Connect, status: int) -> None:
    """Two in a row are forgiven, with a growing pause; the third is told."""
    shop = filled(double.host, connect)
    paused: list[float] = []
    registry = connect(double.host, pause=paused.append)
    double.faults = [status, status]
    assert registry.digest(shop.path, "one") == shop.one
    assert paused == [1, 2]
    double.faults = [status] * 3
    with pytest.raises(RegistryError, match=str(status)):
        registry.digest(shop.path, "one")


def test_a_registry_that_is_not_there_is_told_with_its_name() -> None:
    """Port 1 answers nobody."""
    with (
        Registry("127.0.0.1:1", insecure=True, pause=lambda _seconds: None) as registry,
        pytest.raises(RegistryError, match=r"127.0.0.1:1 did not answer") as caught,
    ):
        registry.digest("shop/web", "one")
    assert "registry.insecure" in caught.value.remedy


@pytest.mark.parametrize("reference", ["none", "other"])
def test_missing_is_told_apart_from_other_refusals(shop: Shop, reference: str) -> None:
    """No such tag, or none for the platform: no credentials would help."""
    with pytest.raises(MissingError):
        shop.registry.resolve(shop.path, reference)


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_denied_is_told_apart_from_other_refusals(
    double: RegistryDouble, connect: Connect, auth: str
) -> None:
    """By the registry and by its token service: other credentials would help."""
    shop = filled(double.host, connect)
    double.auth = auth
    with pytest.raises(DeniedError):
        connect(double.host, credentials=Credentials(USER, "wrong")).resolve(shop.path, "one")


def test_anybody_has_no_credentials_whoever_is_logged_in(
    double: RegistryDouble, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A node has not the login of the person who releases."""
    shop = filled(double.host, connect)
    double.auth = "basic"
    config = {"auths": {double.host: {"username": USER, "password": PASSWORD}}}
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(DeniedError):
        connect(double.host, is_anonymous=True).resolve(shop.path, "one")
