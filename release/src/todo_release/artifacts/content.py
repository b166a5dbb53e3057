"""Content ids: what an image is made of, as one value that changes exactly when the image would change.

An id covers the path, type, executable bit and bytes of every input file, the Dockerfile's name, the build
arguments and the platform. Time, owner, commit and branch are not part of it, so the same content has the
same id everywhere. The build context is written from the same list of files, and a file that changed since it
was hashed is refused.
"""

import hashlib
import io
import json
import os
import posixpath
import stat
import tarfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from todo_release.errors import ConfigError, RepositoryError

ID_LENGTH = 20  # hex digits: 80 bits, short enough for a tag a person compares by eye
FORMAT = "1"  # part of every id; change it when what is hashed changes
LFS_POINTER = b"version https://git-lfs.github.com/spec/"  # github.com/git-lfs/git-lfs/docs/spec.md
LFS_POINTER_BYTES = 1024
RACY_NANOSECONDS = 2_000_000_000  # a file changed again this soon may keep its time, as git's index knows too


@dataclass(frozen=True, slots=True)
class InputFile:
    """One input file of an image: `path` in the repository, `name` in the build context."""

    path: str
    name: str
    mode: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _FileHash:
    mode: int
    sha256: str
    link_target: str | None
    is_lfs_pointer: bool


_known_hashes: dict[tuple[str | int, ...], _FileHash] = {}


def hash_files(root: Path, paths: Iterable[str], *, context: str) -> tuple[InputFile, ...]:
    """Hashes files of a work tree; returns them in the order of their names in the build context.

    A file that several images have, or that is asked for again unchanged, is read once.

    Raises:
        ConfigError: A path lies or leads outside the context, where a Dockerfile cannot reach it, or its name
            is not UTF-8.
        RepositoryError: The work tree has only the Git LFS pointer of a file.
    """
    folder = str(PurePosixPath(context))
    prefix = "" if folder == "." else f"{folder}/"
    files = []
    for path in paths:
        if not path.startswith(prefix):
            raise ConfigError(
                f"The input {path} lies outside of the build context {context}.",
                remedy="Widen the context or drop the input.",
            )
        found = _hash(f"{root}/{path}")
        name = path.removeprefix(prefix)
        _check_names(path, found.link_target or "")
        if found.link_target is not None and _leads_out(name, found.link_target):
            raise ConfigError(
                f"The input {path} is a link to {found.link_target}, outside of the build context {context}.",
                remedy="Replace it by the file itself, widen the context, or exclude it.",
            )
        if found.is_lfs_pointer:
            raise RepositoryError(
                f"The input {path} is only the pointer of Git LFS, not the file.",
                remedy="Run `git lfs pull`, or exclude it; in GitHub Actions set `lfs: true` of "
                "actions/checkout.",
            )
        files.append(InputFile(path, name, found.mode, found.sha256))
    return tuple(sorted(files, key=lambda file: file.name))


def _check_names(*names: str) -> None:
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            shown = os.fsencode(name).decode("ascii", errors="backslashreplace")
            raise ConfigError(
                f"The name of the input {shown} is not UTF-8, which container engines require.",
                remedy="Rename it with `git mv`, or exclude it in release.yaml.",
            ) from error


def _leads_out(name: str, target: str) -> bool:
    """Checks whether a link in the context leads above it; an absolute one is for the image's own folders."""
    return not target.startswith("/") and posixpath.normpath(
        posixpath.join(posixpath.dirname(name), target)
    ).startswith("..")


def _hash(path: str) -> _FileHash:
    """Returns what is known of a file, without reading it again while it is the same."""
    status = os.lstat(path)
    times = (status.st_mtime_ns, status.st_ctime_ns)
    key = (path, status.st_dev, status.st_ino, status.st_mode, status.st_size, *times)
    if (known := _known_hashes.get(key)) is not None:
        return known
    mode, data = _read(path)
    found = _FileHash(
        mode,
        hashlib.sha256(data).hexdigest(),
        os.fsdecode(data) if stat.S_ISLNK(mode) else None,
        len(data) < LFS_POINTER_BYTES and data.startswith(LFS_POINTER),
    )
    if time.time_ns() - max(times) > RACY_NANOSECONDS:
        _known_hashes[key] = found
    return found


def compute_content_id(
    files: Sequence[InputFile], *, dockerfile: str, build_args: Mapping[str, str], platform: str
) -> str:
    """Returns the id of the image that these inputs make; `dockerfile` is its name in the build context."""
    hashed = {
        "format": FORMAT,
        "files": [[file.name, file.mode, file.sha256] for file in files],
        "dockerfile": dockerfile,
        "build_args": dict(sorted(build_args.items())),
        "platform": platform,
    }
    return hashlib.sha256(json.dumps(hashed, separators=(",", ":")).encode()).hexdigest()[:ID_LENGTH]


def write_context(root: Path, files: Sequence[InputFile], target: IO[bytes]) -> None:
    """Writes the build context: a tar of exactly these files, without times and owners.

    Raises:
        RepositoryError: A file changed since it was hashed.
    """
    with tarfile.open(fileobj=target, mode="w") as tar:
        for file in files:
            mode, data = _read(f"{root}/{file.path}")
            if (mode, hashlib.sha256(data).hexdigest()) != (file.mode, file.sha256):
                raise RepositoryError(
                    f"{file.path} was changed while the release was running.",
                    remedy="Start the release again.",
                )
            member = tarfile.TarInfo(file.name)
            if stat.S_ISLNK(mode):
                member.type, member.linkname = tarfile.SYMTYPE, os.fsdecode(data)
                tar.addfile(member)
            else:
                member.mode, member.size = stat.S_IMODE(mode), len(data)
                tar.addfile(member, io.BytesIO(data))


def _read(path: str) -> tuple[int, bytes]:
    """Returns the mode as git knows it (plain, executable, link) and the bytes; of a link, its target.

    Every input file of every image is read here, so paths stay plain strings: `Path` would cost more than the
    read itself.
    """
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return stat.S_IFLNK | 0o777, os.fsencode(os.readlink(path))  # noqa: PTH115  # see the docstring
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # see the docstring
        return stat.S_IFREG | (0o755 if mode & stat.S_IXUSR else 0o644), file.read()
