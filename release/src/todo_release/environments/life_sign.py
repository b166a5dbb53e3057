"""Proves to other runs in the same work tree whether the holder of a lock still lives.

A run keeps a lock of the operating system on a file; the kernel drops it when the run ends, however that
happens. So after a kill the next run need not wait until the Lease expires. Another machine, container or
work tree sees no file and waits.
"""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Self

from todo_release.core import release_folder

FOLDER = "locks"


class LifeSign:
    """The file of a living run."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Takes the open file, which is locked."""
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def show(cls, folder: Path | None, identity: str) -> Self | None:
        """Creates and locks the file of a run; None where files cannot be written or locked."""
        if folder is None:
            return None
        path = _path(folder, identity)
        try:
            release_folder.create(folder)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # a network file system without locks: an unlocked file would mean a dead run
            os.close(descriptor)
            path.unlink(missing_ok=True)
            return None
        return cls(path, descriptor)

    def hide(self) -> None:
        """Removes the file."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)


def is_proven_dead(folder: Path | None, identity: str) -> bool:
    """Returns whether a run of this work tree has ended without releasing its lock."""
    if folder is None:
        return False
    try:
        descriptor = os.open(_path(folder, identity), os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def forget(folder: Path | None, identity: str) -> None:
    """Removes the file of a dead run, when somebody else holds the lock."""
    if folder is not None:
        with contextlib.suppress(OSError):
            _path(folder, identity).unlink(missing_ok=True)


def _path(folder: Path, identity: str) -> Path:
    return folder / identity.rpartition("/")[2].replace(os.sep, "")
