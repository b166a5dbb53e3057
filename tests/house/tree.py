"""The files of this repository that the rules of the house apply to."""

import ast
import subprocess
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINE = "release/src/todo_release"


@dataclass(frozen=True)
class Source:
    """A Python file: its path from the repository's root and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The file's syntax tree."""
        return ast.parse(self.text)

    @property
    def is_test(self) -> bool:
        """Whether the file is a test or belongs to tests."""
        folders = self.path.split("/")
        return bool({"tests", "testing"} & set(folders)) or folders[-1] in {"conftest.py", "fixtures.py"}


@cache
def tracked(*patterns: str) -> tuple[str, ...]:
    """Returns the paths of the files that git tracks, or would track, and that are there."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for path in sorted(set(listed.split("\0"))) if path and (ROOT / path).is_file())


@cache
def sources() -> tuple[Source, ...]:
    """Returns every Python file of the repository."""
    return tuple(Source(path, (ROOT / path).read_text(encoding="utf-8")) for path in tracked("*.py"))


@cache
def documents() -> tuple[Path, ...]:
    """Returns every page that people read, without the changelog, which tells of the past."""
    return tuple(ROOT / path for path in tracked("*.md") if path != "CHANGELOG.md")
