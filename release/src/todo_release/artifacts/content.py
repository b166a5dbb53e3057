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
import stat
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from todo_release.errors import ConfigError, RepositoryError

ID_LENGTH = 20  # hex digits: 80 bits, short enough for a tag a person compares by eye
FORMAT = "1"  # part of every id; change it when what is hashed changes


@dataclass(frozen=True, slots=True)
class InputFile:
    """One input file of an image: `path` in the repository, `name` in the build context."""

    path: str
    name: str
    mode: int
    sha256: str


def hash_files(root: Path, paths: Iterable[str], *, context: str) -> tuple[InputFile, ...]:
    """Hashes files of a work tree; returns them in the order of their names in the build context.

    Raises:
        ConfigError: A path lies outside the context, where a Dockerfile cannot reach it.
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
        mode, data = _read(f"{root}/{path}")
        files.append(InputFile(path, path.removeprefix(prefix), mode, hashlib.sha256(data).hexdigest()))
    return tuple(sorted(files, key=lambda file: file.name))


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
                member.type, member.linkname = tarfile.SYMTYPE, data.decode()
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
        return stat.S_IFLNK | 0o777, os.readlink(path).encode()  # noqa: PTH115  # see the docstring
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # see the docstring
        return stat.S_IFREG | (0o755 if mode & stat.S_IXUSR else 0o644), file.read()
