"""What pages and docstrings name is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .tree import ROOT, documents, sources, tracked

TOP = sorted({path.split("/")[0] for path in tracked("*") if "/" in path})
NAMED = re.compile(rf"`((?:{'|'.join(map(re.escape, TOP))})/[\w./*{{}}\[\]-]+)`")
# Made by a command and never committed.
MADE = re.compile(r"/(dist|node_modules|\.next|build)/|\.release/")


def missing(text: str, folder: Path = ROOT) -> Iterator[str]:
    """Yields the paths named in a text that are nowhere, seen from the repository's root or from a folder."""
    for path in NAMED.findall(text):
        if MADE.search(path) or "{" in path:
            continue
        if not any(any(base.glob(path.rstrip("/"))) for base in (ROOT, folder)):
            yield path


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_document_names_only_files_that_are_there(path: Path) -> None:
    """Someone who follows a page finds each file."""
    assert list(missing(path.read_text(encoding="utf-8"), path.parent)) == []


def test_sources_name_only_files_that_are_there() -> None:
    """So does someone who follows a docstring or comment."""
    found = {source.path: list(missing(source.text)) for source in sources() if not source.is_test}
    assert {path: paths for path, paths in found.items() if paths} == {}


@pytest.mark.parametrize("name", ["release/src/nowhere.py", "docs/runbooks/nothing.md", "chart/*.nothing"])
def test_missing_file_is_reported(name: str) -> None:
    """The rule is not blind."""
    assert list(missing(f"See `{name}`.")) == [name]
