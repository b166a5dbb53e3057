"""The world of a rehearsal: where its options lead, and what its nodes can pull."""

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest

from todo_embedded.errors import ProcessStartError
from todo_release import commands
from todo_release.rehearsal import cluster_fixture, sandbox
from todo_release.rehearsal.sandbox import Theatre, open_theatre

from ..shop import Tree
from .deployable_shop import LINES, opened
from .shared_control_plane import SharedPlane

ENVIRON = {"RELEASE_REGISTRY": "registry.example.com/shop", "GITHUB_TOKEN": "t", "GITHUB_ACTIONS": "true"}
OPTIONS = replace(LINES, environ=ENVIRON, skip=("capacity=a node comes",))


@pytest.fixture
def made(shop: Tree, on_shared_plane: SharedPlane, nobody: None) -> Iterator[Theatre]:
    """A theatre for the shop, opened by somebody who has a registry and a token, but no name in git."""
    with opened(shop, OPTIONS) as session, open_theatre(session, OPTIONS, None) as opened_sandbox:
        yield opened_sandbox


def test_options_lead_nowhere_but_into_the_world(made: Theatre) -> None:
    """Registry, contexts, remote and announcements are the rehearsal's; what a person skips stays skipped."""
    with made.stage.session() as inside:
        config = inside.context.config
        assert config.registry.host.startswith("127.0.0.1:")
        assert {one.context for one in config.environments.values()} == {"rehearsal"}
        assert {config.smoke_of(name).connect_to for name in config.environments} == {"127.0.0.1:1"}
        assert inside.context.repository.remote_refs("origin").branches.keys() == {"main"}
        assert (inside.github, inside.context.run_url) == (None, None)
        assert inside.ask("Really?")
    assert made.stage.options.skip == (sandbox.PLACEHOLDERS, "capacity=a node comes")


def test_node_can_have_what_was_pushed_and_nothing_else(made: Theatre, on_shared_plane: SharedPlane) -> None:
    """By digest or by tag; other registries are none of the rehearsal's business."""
    name = made.config.registry.reference("web")
    made.engine.build(
        io.BytesIO(b""),
        dockerfile="Dockerfile",
        tags=[f"{name}:1"],
        build_args={},
        on_line=lambda line: None,
        platform="linux/amd64",
    )
    digest = made.engine.push(f"{name}:1", on_line=lambda line: None)
    check = on_shared_plane.image_check
    for image in (f"{name}@{digest}", f"{name}:1", f"{name}:1@{digest}", "ghcr.io/somebody/else:1"):
        assert check(image) is None
    for image in (f"{name}:2", name, f"{name}@sha256:{'0' * 64}"):
        assert check(image) == f"failed to resolve reference {image}: {image}: not found"
    made.pulls.refusal = "401 Unauthorized"
    assert check(f"{name}:1") == f"failed to resolve reference {name}:1: 401 Unauthorized"


def test_world_that_cannot_be_made_ends_with_16(
    shop: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what the program that failed said."""

    def fail(*_: object, **__: object) -> None:
        raise ProcessStartError("etcd ended with 1 before it was ready")

    monkeypatch.setattr(cluster_fixture, "running", fail)
    assert commands.rehearse(shop.path, "1.0.0", LINES) == 16
    shown = capsys.readouterr().out
    assert "The rehearsal's own world could not be made, or failed: etcd ended with 1" in shown
