"""Installing, building and serving the frontend, with the real npm and Node on a tiny project."""

import json
import shutil
from pathlib import Path

import httpx2
import pytest

from todo_embedded import nodejs
from todo_embedded.errors import EmbeddedError
from todo_embedded.ports import free_port
from todo_local.frontend import Frontend, inputs_digest, is_installed

from .sample_application import SERVER, write_frontend


@pytest.fixture(scope="module", autouse=True)
def _cached_node() -> None:
    """Node, on this machine before the tests begin: fetching it would be reported as progress."""
    nodejs.node()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The sample frontend, neither installed nor built."""
    return write_frontend(tmp_path / "frontend")


def build(folder: Path) -> list[str]:
    """Builds; returns what was reported to take long."""
    messages: list[str] = []
    Frontend(folder, 0).build(log=lambda _line: None, progress=messages.append)
    return [message.partition(":")[0] for message in messages]


def test_build_happens_when_something_has_changed(folder: Path) -> None:
    """The first build installs and builds, the second does nothing, a changed source is only built."""
    assert build(folder) == ["npm ci", "next build"]
    assert build(folder) == []
    (folder / "src" / "server.js").write_text(f"// changed\n{SERVER}")
    assert build(folder) == ["next build"]


def test_interrupted_build_is_repeated(folder: Path) -> None:
    """A build that fails does not leave the stamp of the build before."""
    build(folder)
    shutil.move(folder / "src", folder / "sources")
    with pytest.raises(EmbeddedError, match="npm run failed"):
        build(folder)
    shutil.move(folder / "sources", folder / "src")
    assert build(folder) == ["next build"]


def test_server_answers_with_its_environment(folder: Path) -> None:
    """The built server runs on the given port, with the given environment."""
    build(folder)
    frontend = Frontend(folder, free_port())
    frontend.migrate({"DATABASE_URL": "postgresql://"}, log=lambda _line: None)
    with frontend.serve({"GREETING": "hello"}, log=lambda _line: None):
        assert httpx2.get(f"http://127.0.0.1:{frontend.port}/").text == "hello"


def test_failed_migration_is_an_error(folder: Path) -> None:
    """A migration that fails stops the start."""
    build(folder)
    with pytest.raises(EmbeddedError, match="migrate failed with 4"):
        Frontend(folder, 0).migrate({"DATABASE_URL": ""}, log=lambda _line: None)


def lock(**versions: str) -> dict[str, dict[str, dict[str, object]]]:
    """Returns a lock file with these packages; the one named `optional` is optional."""
    return {
        "packages": {
            "": {"name": "tiny"},
            **{
                f"node_modules/{name}": {"version": version, "optional": name == "optional"}
                for name, version in versions.items()
            },
        }
    }


@pytest.mark.parametrize(
    ("installed", "is_current"),
    [
        ({"a": "1", "optional": "1"}, True),
        ({"a": "1"}, True),
        ({"a": "2"}, False),
        ({"optional": "1"}, False),
        ({"a": "1", "b": "1"}, False),
    ],
    ids=["same", "without the optional", "other version", "one missing", "one too many"],
)
def test_installed_packages_are_compared(tmp_path: Path, installed: dict[str, str], is_current: bool) -> None:
    """node_modules counts as installed when it holds what the lock file asks for, and nothing else."""
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "package-lock.json").write_text(json.dumps(lock(a="1", optional="1")))
    (tmp_path / "node_modules" / ".package-lock.json").write_text(json.dumps(lock(**installed)))
    assert is_installed(tmp_path) is is_current


def test_digest_ignores_what_is_not_built(folder: Path) -> None:
    """Tests, installed packages and the output are no inputs; the name of a source is."""
    before = inputs_digest(folder)
    for name in ("node_modules", ".next", "tests"):
        (folder / name).mkdir()
        (folder / name / "file").write_text("x")
    assert inputs_digest(folder) == before
    (folder / "src" / "server.js").rename(folder / "src" / "other.js")
    assert inputs_digest(folder) != before
