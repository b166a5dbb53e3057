"""The sandbox of a rehearsal: where its options lead, and which images its nodes can pull."""

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest

from todo_embedded.errors import ProcessStartError
from todo_release import commands
from todo_release.rehearsal import cluster_fixture
from todo_release.rehearsal.sandbox import PLACEHOLDERS, Sandbox, open_sandbox

from ..shop import Tree
from .deployable_shop import LINES, open_shop
from .shared_control_plane import SharedControlPlane

ENVIRON = {"RELEASE_REGISTRY": "registry.example.com/shop", "GITHUB_TOKEN": "t", "GITHUB_ACTIONS": "true"}
OPTIONS = replace(LINES, environ=ENVIRON, skip=("capacity=a node comes",))


@pytest.fixture
def sandbox(shop: Tree, on_shared_plane: SharedControlPlane, without_git_author: None) -> Iterator[Sandbox]:
    """Opens a sandbox as a user with a registry and a token, but without a name in git."""
    with open_shop(shop, OPTIONS) as session, open_sandbox(session, OPTIONS, None) as opened:
        yield opened


def test_options_lead_only_into_the_sandbox(sandbox: Sandbox) -> None:
    """Registry, contexts and remote are the sandbox's, nothing is announced, and skips are kept."""
    with sandbox.context.session() as inside:
        config = inside.context.config
        assert config.registry.host.startswith("127.0.0.1:")
        assert {environment.context for environment in config.environments.values()} == {"rehearsal"}
        assert {config.smoke_of(name).connect_to for name in config.environments} == {"127.0.0.1:1"}
        assert inside.context.repository.remote_refs("origin").branches.keys() == {"main"}
        assert (inside.github, inside.context.run_url) == (None, None)
        assert inside.ask("Really?")
    assert sandbox.context.options.skip == (PLACEHOLDERS, "capacity=a node comes")


def test_nodes_can_pull_only_pushed_images(sandbox: Sandbox, on_shared_plane: SharedControlPlane) -> None:
    """A pushed image can be pulled by digest or tag, others cannot; other registries are not checked."""
    name = sandbox.config.registry.reference("web")
    sandbox.engine.build(
        io.BytesIO(b""),
        dockerfile="Dockerfile",
        tags=[f"{name}:1"],
        build_args={},
        on_line=lambda line: None,
        platform="linux/amd64",
    )
    digest = sandbox.engine.push(f"{name}:1", on_line=lambda line: None)
    check = on_shared_plane.image_check
    for image in (f"{name}@{digest}", f"{name}:1", f"{name}:1@{digest}", "ghcr.io/somebody/else:1"):
        assert check(image) is None
    for image in (f"{name}:2", name, f"{name}@sha256:{'0' * 64}"):
        assert check(image) == f"failed to resolve reference {image}: {image}: not found"
    sandbox.pull_fault.refusal = "401 Unauthorized"
    assert check(f"{name}:1") == f"failed to resolve reference {name}:1: 401 Unauthorized"


def test_sandbox_that_cannot_be_created_ends_with_16(
    shop: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message has the error of the program that failed."""

    def fail(*_: object, **__: object) -> None:
        raise ProcessStartError("etcd ended with 1 before it was ready")

    monkeypatch.setattr(cluster_fixture, "run_cluster", fail)
    assert commands.rehearse(shop.path, "1.0.0", LINES) == 16
    output = capsys.readouterr().out
    assert "The sandbox of the rehearsal could not be created, or failed: etcd ended with 1" in output
