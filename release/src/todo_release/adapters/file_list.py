"""The files of a work tree at one moment, and which of them pathspecs select."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from todo_release.adapters import pathspec


@dataclass(frozen=True, slots=True)
class FileList:
    """The paths of a work tree that are tracked or untracked and not ignored, with those of its submodules.

    `submodules` are those that are checked out, `empty_submodules` those that are not. Bytes of names that
    are not UTF-8 are surrogates.
    """

    root: Path
    paths: tuple[str, ...]
    submodules: tuple[str, ...]
    empty_submodules: tuple[str, ...]

    def select(self, include: Sequence[str], exclude: Sequence[str] = ()) -> tuple[str, ...]:
        """Returns the sorted paths that pathspecs select, of files and links that exist."""
        selected = pathspec.select(self.paths, include, exclude)
        return tuple(path for path in selected if _is_content(f"{self.root}/{path}"))


def _is_content(path: str) -> bool:
    """Checks whether a path is a file or a link; called for every file, hence without the slower `Path`."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)
