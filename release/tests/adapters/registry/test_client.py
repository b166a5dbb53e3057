"""The registry: digests, what a node would pull, tags and credentials.

Tests with the fixture `shop` are a contract: they run against the double and against a real registry.
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
from todo_release.adapters.registry.auth import RegistryDeniedError
from todo_release.adapters.registry.client import ImageNotFoundError, Registry, ResolvedImage
from todo_release.adapters.registry.credentials import Credentials
from todo_release.errors import RegistryError

from ...doubles.pushed_image import MANIFEST, push_image, push_index, push_manifest
from ...doubles.registry import PASSWORD, USER, RegistryDouble, serve

Connect = Callable[..., Registry]


@dataclass(frozen=True)
class Shop:
    """A repository with an index `all` over the images `amd64` and `arm64`, and their digests."""

    host: str
    path: str
    amd64: str
    arm64: str
    all: str
    registry: Registry


@pytest.fixture
def double() -> Iterator[RegistryDouble]:
    """An empty registry double."""
    with serve(RegistryDouble()) as running:
        yield running


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Creates clients that do not wait between two tries, and closes them."""
    with ExitStack() as stack:

        def connected(host: str, **options: Any) -> Registry:
            settings = {"insecure": True, "pause": lambda _seconds: None, **options}
            return stack.enter_context(Registry(host, **settings))

        yield connected


@pytest.fixture(autouse=True)
def _no_docker_login(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The tests do not use the credentials of the person who runs them."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path_factory.mktemp("docker")))


@pytest.fixture(scope="module")
def real() -> Iterator[str]:
    """The host of a real registry."""
    with image_registry() as host:
        yield host


@pytest.fixture(params=["double", "real"])
def shop(request: pytest.FixtureRequest, double: RegistryDouble, real: str, connect: Connect) -> Shop:
    """The same repository in the double and in a real registry."""
    return push_shop(double.host if request.param == "double" else real, connect)


def push_shop(host: str, connect: Connect) -> Shop:
    """Pushes the shop's images."""
    path = f"shop-{uuid.uuid4().hex[:8]}/web"
    amd64 = push_image(host, path, "amd64")
    arm64 = push_image(host, path, "arm64", architecture="arm64")
    index = push_index(host, path, "all", {"amd64": amd64, "arm64": arm64})
    return Shop(host, path, amd64, arm64, index, connect(host))


def test_digest_of_a_tag_is_that_of_the_pushed_image(shop: Shop) -> None:
    """An index has its own digest; a digest is returned as it is."""
    assert shop.registry.digest(shop.path, "amd64") == shop.amd64
    assert shop.registry.digest(shop.path, "all") == shop.all
    assert shop.registry.digest(shop.path, shop.arm64) == shop.arm64


def test_digest_of_a_missing_image_is_none(shop: Shop) -> None:
    """A tag, a digest or a whole repository may be missing."""
    assert shop.registry.digest(shop.path, "none") is None
    assert shop.registry.digest(shop.path, f"sha256:{'0' * 64}") is None
    assert shop.registry.digest("no/such", "amd64") is None


def test_resolve_follows_an_index_to_the_image_of_the_platform(shop: Shop) -> None:
    """The result has both digests, the configuration and the size of the download."""
    image = shop.registry.resolve(shop.path, "all")
    assert (image.digest, image.platform_digest, image.size_bytes) == (shop.all, shop.amd64, 5)
    assert (image.labels, image.env) == ({"build": "x"}, {"PATH": "/bin", "OPTIONS": "a=b"})
    assert shop.registry.resolve(shop.path, "all", "linux/arm64").platform_digest == shop.arm64


def test_resolve_of_an_image_without_an_index_is_the_image(shop: Shop) -> None:
    """Both digests are the same then, and differ from that of the configuration."""
    image = shop.registry.resolve(shop.path, shop.amd64)
    assert image.digest == image.platform_digest == shop.amd64
    assert image.config_digest not in {shop.amd64, shop.arm64}


def test_resolve_refuses_an_index_without_the_platform(shop: Shop) -> None:
    """The message lists the platforms of the index."""
    push_index(shop.host, shop.path, "arm", {"arm64": shop.arm64})
    with pytest.raises(RegistryError, match=r"arm has no image for linux/amd64, only linux/arm64"):
        shop.registry.resolve(shop.path, "arm")


def test_resolve_refuses_an_image_of_another_platform(shop: Shop) -> None:
    """An image without an index states its platform in its configuration."""
    with pytest.raises(RegistryError, match="is made for linux/arm64, the nodes are linux/amd64"):
        shop.registry.resolve(shop.path, "arm64")


def test_resolve_refuses_a_missing_tag(shop: Shop) -> None:
    """The error quotes the registry."""
    with pytest.raises(RegistryError, match=r"refused to read .*:none: 404 MANIFEST_UNKNOWN"):
        shop.registry.resolve(shop.path, "none")


def test_tag_adds_a_name_to_an_image(shop: Shop) -> None:
    """The digest stays the same, and an existing tag is moved."""
    for digest in (shop.amd64, shop.all):
        shop.registry.tag(shop.path, digest, "v1.2.3")
        assert shop.registry.digest(shop.path, "v1.2.3") == digest


def test_tag_refuses_a_missing_image(shop: Shop) -> None:
    """No tag is created."""
    with pytest.raises(RegistryError, match="404"):
        shop.registry.tag(shop.path, f"sha256:{'0' * 64}", "v1.2.3")


def test_digest_is_computed_when_the_registry_does_not_state_it(
    double: RegistryDouble, connect: Connect
) -> None:
    """The digest header is optional in the protocol."""
    shop = push_shop(double.host, connect)
    double.hides_digest = True
    assert shop.registry.digest(shop.path, "amd64") == shop.amd64


@pytest.mark.parametrize("kind", ["manifests", "blobs"])
def test_resolve_refuses_content_that_does_not_match_its_digest(
    double: RegistryDouble, connect: Connect, kind: str
) -> None:
    """Damaged storage or a proxy may change content."""
    shop = push_shop(double.host, connect)
    for path in [path for path in double.content if f"/{kind}/sha256:" in path]:
        double.content[path] += b" "
    with pytest.raises(RegistryError, match="gave other content"):
        shop.registry.resolve(shop.path, shop.amd64)


def test_resolve_refuses_an_index_without_platforms(double: RegistryDouble, connect: Connect) -> None:
    """Attestations are entries of an index too, but have no platform."""
    shop = push_shop(double.host, connect)
    entry = {"mediaType": MANIFEST, "digest": shop.amd64, "size": 1}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}
    push_manifest(shop.host, shop.path, "bare", index)
    with pytest.raises(RegistryError, match="no image for linux/amd64, only none"):
        shop.registry.resolve(shop.path, "bare")


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_challenge_is_answered_once_for_each_repository_and_right(
    double: RegistryDouble, connect: Connect, auth: str
) -> None:
    """Later requests reuse the token; writing needs another one."""
    shop = push_shop(double.host, connect)
    double.auth = auth
    double.requests.clear()
    credentials = Credentials(USER, PASSWORD)
    registry = connect(double.host, credentials=credentials)
    assert isinstance(registry.resolve(shop.path, "all"), ResolvedImage)
    others = [request for request in double.requests if "/token" not in request]
    assert len(others) == 1 + 3
    registry.tag(shop.path, shop.amd64, "v2")
    tokens = [request for request in double.requests if "/token" in request]
    assert tokens == (["GET /token?service=shop&scope=repository%3Aa%3Apull"] * 2 if auth == "bearer" else [])


@pytest.mark.parametrize(
    ("auth", "credentials", "message"),
    [
        ("basic", None, "refused to look up .* 401 Unauthorized"),
        ("basic", Credentials(USER, "wrong"), "refused to look up .* 401 Unauthorized"),
        ("bearer", Credentials(USER, "wrong"), "token service of 127.0.0.1 refused: 403"),
        ("bearer", None, "token service of 127.0.0.1 refused: 403"),
    ],
)
def test_refusal_is_an_error_and_not_a_missing_image(
    double: RegistryDouble, connect: Connect, auth: str, credentials: Credentials | None, message: str
) -> None:
    """A forbidden image may exist, so the digest is not None."""
    shop = push_shop(double.host, connect)
    double.auth = auth
    registry = connect(double.host, credentials=credentials)
    with pytest.raises(RegistryError, match=message) as caught:
        registry.digest(shop.path, "amd64")
    assert "docker login" in caught.value.remedy


def test_credentials_of_docker_login_are_used_when_none_are_given(
    double: RegistryDouble, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They are read from the config.json that `docker login` wrote."""
    shop = push_shop(double.host, connect)
    double.auth = "basic"
    config = {"auths": {double.host: {"username": USER, "password": PASSWORD}}}
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert connect(double.host).digest(shop.path, "amd64") == shop.amd64


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_temporary_fault_is_tried_again(double: RegistryDouble, connect: Connect, status: int) -> None:
    """Two faults in a row are retried with a growing pause; the third is an error."""
    shop = push_shop(double.host, connect)
    paused: list[float] = []
    registry = connect(double.host, pause=paused.append)
    double.faults = [status, status]
    assert registry.digest(shop.path, "amd64") == shop.amd64
    assert paused == [1, 2]
    double.faults = [status] * 3
    with pytest.raises(RegistryError, match=str(status)):
        registry.digest(shop.path, "amd64")


def test_registry_that_does_not_answer_is_an_error_with_its_name() -> None:
    """Nothing listens on port 1."""
    with (
        Registry("127.0.0.1:1", insecure=True, pause=lambda _seconds: None) as registry,
        pytest.raises(RegistryError, match=r"127.0.0.1:1 did not answer") as caught,
    ):
        registry.digest("shop/web", "amd64")
    assert "registry.insecure" in caught.value.remedy


@pytest.mark.parametrize("reference", ["none", "arm64"])
def test_missing_image_has_its_own_error(shop: Shop, reference: str) -> None:
    """There is no such tag, or none for the platform; other credentials would not help."""
    with pytest.raises(ImageNotFoundError):
        shop.registry.resolve(shop.path, reference)


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_denied_access_has_its_own_error(double: RegistryDouble, connect: Connect, auth: str) -> None:
    """The registry or its token service denies access; other credentials would help."""
    shop = push_shop(double.host, connect)
    double.auth = auth
    with pytest.raises(RegistryDeniedError):
        connect(double.host, credentials=Credentials(USER, "wrong")).resolve(shop.path, "amd64")


def test_anonymous_client_ignores_docker_login(
    double: RegistryDouble, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A node does not have the login of the person who releases."""
    shop = push_shop(double.host, connect)
    double.auth = "basic"
    config = {"auths": {double.host: {"username": USER, "password": PASSWORD}}}
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(RegistryDeniedError):
        connect(double.host, is_anonymous=True).resolve(shop.path, "amd64")
