"""Lookups in registries, DNS, git and files: bounded in time, and silent about what is missing."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from todo_release.adapters.git import Repository
from todo_release.adapters.registry import image_name
from todo_release.adapters.registry.auth import RegistryDeniedError
from todo_release.adapters.registry.client import RegistryUnreachableError
from todo_release.adapters.registry.credentials import Credentials
from todo_release.config.model import Config, RegistrySettings
from todo_release.config.preflight import PreflightSettings
from todo_release.errors import RegistryError
from todo_release.preflight import lookups
from todo_release.preflight.snapshot import ImageLookup

from ..environments.test_pull_access import pull_secret
from ..shop import Tree
from .snapshots import make_config

SETTINGS = RegistrySettings(repository="registry.test/shop")
MANIFEST = (
    "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {imagePullSecrets: [{name: old}, {name: new}]}\n"
)
IMAGE = "registry.test/shop/web@sha256:1"


def test_lookup_that_does_not_return_is_left_out() -> None:
    """A resolver that hangs must not hang the release."""
    gate = threading.Event()

    def hanging() -> str:
        return "late" if gate.wait(30) else ""

    assert lookups.within(0.05, {"quick": lambda: "here", "hanging": hanging}) == {"quick": "here"}
    gate.set()


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("redis", ("docker.io", "library/redis", "latest")),
        ("redis:7-alpine", ("docker.io", "library/redis", "7-alpine")),
        ("shop/web", ("docker.io", "shop/web", "latest")),
        ("localhost:5000/web", ("localhost:5000", "web", "latest")),
        ("ghcr.io/a/b/c:v1@sha256:1", ("ghcr.io", "a/b/c", "sha256:1")),
        (IMAGE, ("registry.test", "shop/web", "sha256:1")),
    ],
)
def test_reference_is_split_by_dockers_rules(reference: str, parts: tuple[str, str, str]) -> None:
    """A digest wins over a tag, and a port is no tag."""
    assert image_name.split_reference(reference) == parts


class RegistriesDouble:
    """A double of all registries, as `ConnectToHost`; registry.test accepts only the password `good`."""

    def __init__(self, error: RegistryError | None = None) -> None:
        """`error` is raised by every lookup."""
        self.error = error
        self.logins: list[tuple[str, str | None]] = []

    @contextmanager
    def __call__(self, host: str, credentials: Credentials | None) -> Iterator[Any]:
        """Connects to one registry."""
        self.logins.append((host, credentials.username if credentials else None))

        def resolve(repository: str, reference: str, platform: str) -> None:
            if self.error:
                raise self.error
            if host == "registry.test" and (credentials is None or credentials.password != "good"):
                raise RegistryDeniedError("It refused: 401.", remedy="")

        yield SimpleNamespace(resolve=resolve)


def look_up(
    secrets: dict[str, str],
    registries: RegistriesDouble,
    image: str = IMAGE,
    known: dict[str, str] | None = None,
) -> ImageLookup:
    """Looks up one image with these pull secrets in the namespace; `known` registries do not answer."""
    cluster = SimpleNamespace(pull_secret=lambda namespace, name: secrets.get(name))
    access: Any = SimpleNamespace(cluster=cluster, settings=SimpleNamespace(namespace="staging"))
    connect: Any = registries
    found = lookups.images(
        access, SETTINGS, MANIFEST, [image], connect, unreachable={} if known is None else known
    )
    return found[image]


def test_foreign_registry_that_does_not_answer_is_asked_once() -> None:
    """The second lookup costs no request, and says the same."""
    registries = RegistriesDouble(RegistryUnreachableError("No route.", remedy=""))
    known: dict[str, str] = {}
    first = look_up({}, registries, "redis:8", known)
    second = look_up({}, registries, "postgres:18", known)
    assert (first.unknown, second.unknown) == ("No route.", "No route.")
    assert registries.logins == [("docker.io", None)]
    assert known == {"docker.io": "No route."}


def test_foreign_registry_that_is_late_is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that swallows packets costs its time limit once."""
    monkeypatch.setattr(lookups, "within", lambda seconds, wanted: {})
    known: dict[str, str] = {}
    assert look_up({}, RegistriesDouble(), "redis:8", known).unknown.startswith("its registry did not answer")
    assert known.keys() == {"docker.io"}


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (IMAGE, RegistryUnreachableError("No route.", remedy="")),
        ("redis:8", RegistryError("429 too many requests.", remedy="")),
    ],
)
def test_other_registries_are_asked_again(image: str, error: RegistryError) -> None:
    """The release's own registry and one that refused may answer the next time."""
    known: dict[str, str] = {}
    registries = RegistriesDouble(error)
    look_up({}, registries, image, known)
    look_up({}, registries, image, known)
    assert (len(registries.logins), known) == (2, {})


def test_image_exists_when_any_pull_secret_is_accepted() -> None:
    """Pull secrets are tried one after another, as the kubelet does."""
    secrets = {"new": pull_secret("bad"), "old": pull_secret("good")}
    assert look_up(secrets, RegistriesDouble()) == ImageLookup(reference=IMAGE)


def test_image_that_no_pull_secret_can_pull_is_denied() -> None:
    """Every refusal is reported, and no password."""
    result = look_up({"new": pull_secret("bad"), "old": pull_secret("worse")}, RegistriesDouble())
    assert result.denied == (
        f"The cluster cannot pull {IMAGE}: with new: It refused: 401. with old: It refused: 401."
    )


def test_image_without_a_pull_secret_is_looked_up_anonymously() -> None:
    """A node may have credentials of its own, so a refusal is not certain."""
    registries = RegistriesDouble()
    result = look_up({}, registries)
    assert registries.logins == [("registry.test", None)]
    assert (result.denied, result.unknown) == (
        "",
        "it is not public, and no pull secret is for registry.test. It refused: 401.",
    )
    assert look_up({}, RegistriesDouble(), "redis:7") == ImageLookup(reference="redis:7")


def test_registry_that_does_not_answer_leaves_the_image_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lookup has the registry's error, or says that no answer came in time."""
    down = RegistriesDouble(RegistryError("It is down.", remedy=""))
    assert look_up({}, down).unknown == "It is down."
    monkeypatch.setattr(lookups, "within", lambda seconds, wanted: {})
    assert look_up({}, RegistriesDouble()).unknown == "its registry did not answer within 5 s."


def test_hosts_have_addresses_none_or_no_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that does not exist has no address; one that could not be resolved has no entry."""

    def resolve(host: str, *_: object, **__: object) -> list[Any]:
        if host == "away.test":
            raise socket.gaierror(socket.EAI_AGAIN, "later")
        if host == "nobody.test":
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(0, 0, 0, "", ("203.0.113.7", 0)), (0, 0, 0, "", ("203.0.113.7", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert lookups.addresses(["shop.test", "nobody.test", "away.test", ""]) == {
        "shop.test": ("203.0.113.7",),
        "nobody.test": (),
    }


def with_contracts(**contracts: str) -> Config:
    """Returns release.yaml with contracts of images."""
    images = {
        name: {"dockerfile": "Dockerfile", "inputs": ["."], "values": name, "contract": path}
        for name, path in contracts.items()
    }
    return make_config(images=images)


def test_contracts_are_read_and_damaged_ones_left_out(tmp_path: Path) -> None:
    """A contract that is missing or is no JSON counts as none."""
    (tmp_path / "good.json").write_text('{"paths": {}}')
    (tmp_path / "bad.json").write_text("paths")
    known = with_contracts(good="good.json", bad="bad.json", gone="gone.json")
    assert lookups.contracts(tmp_path, known) == {"good": {"paths": {}}}


def test_workflows_cluster_files_and_release_yaml_are_read(tree: Tree) -> None:
    """Large files are read as empty, and other files are left out."""
    large = "x" * (lookups.MAX_FILE_BYTES + 1)
    tree.write({".github/workflows/a.yml": "a", "k8s/bootstrap": "b", "k8s/large": large, "other.yml": "c"})
    result = lookups.files(Repository(tree.path), PreflightSettings(cluster_files=("k8s/**",)))
    assert result.pop("release.yaml").startswith("name: shop")
    assert result == {".github/workflows/a.yml": "a", "k8s/bootstrap": "b", "k8s/large": ""}


def test_words_are_found_only_in_files_that_contain_all_of_them(tree: Tree) -> None:
    """The place is that of the last word, in the commit and not in the work tree."""
    commit = tree.commit(
        "code",
        {"api/a.py": "tasks\nlegacy = 1\nlegacy_too\n", "api/b.py": "legacy\n", "web/c.js": "tasks legacy\n"},
    )
    tree.write({"api/a.py": ""})
    repository = Repository(tree.path)
    assert repository.mentions(commit, ("tasks", "legacy"), ["api"]) == ("api/a.py:2",)
    assert repository.mentions(commit, ("tasks", "legacy"), ["api", "web"], ["web"]) == ("api/a.py:2",)
    assert repository.mentions(commit, ("nothing",), ["api"]) == ()
