"""Content ids: what an image is made of, as one value that changes exactly when the image would.

An id covers the path, kind, executable bit and bytes of every input, the Dockerfile, the build arguments and
the platform. Time, owner, commit and branch are no part of it, so the same content has the same id
everywhere. The build context is written from the same list of files and refuses a file that changed since it
was hashed.
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
FORMAT = "1"  # part of every id; a change of what is hashed changes it on purpose


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of an image: `path` in the repository, `name` in the build context."""

    path: str
    name: str
    mode: int
    sha256: str


def read_inputs(root: Path, paths: Iterable[str], *, context: str) -> tuple[InputFile, ...]:
    """Hash files of a work tree, in the order of their names in the build context.

    Raises:
        ConfigError: a path lies outside the context, where a Dockerfile cannot reach it.
    """
    folder = str(PurePosixPath(context))
    prefix = "" if folder == "." else f"{folder}/"
    found = []
    for path in paths:
        if not path.startswith(prefix):
            raise ConfigError(
                f"The input {path} lies outside of the build context {context}.",
                remedy="Widen the context or drop the input.",
            )
        mode, data = _read(f"{root}/{path}")
        found.append(InputFile(path, path.removeprefix(prefix), mode, hashlib.sha256(data).hexdigest()))
    return tuple(sorted(found, key=lambda file: file.name))


def content_id(
    files: Sequence[InputFile], *, dockerfile: str, build_args: Mapping[str, str], platform: str
) -> str:
    """Identity of the image that these inputs make; `dockerfile` is its name in the build context."""
    described = {
        "format": FORMAT,
        "files": [[file.name, file.mode, file.sha256] for file in files],
        "dockerfile": dockerfile,
        "build_args": dict(sorted(build_args.items())),
        "platform": platform,
    }
    return hashlib.sha256(json.dumps(described, separators=(",", ":")).encode()).hexdigest()[:ID_LENGTH]


def write_context(root: Path, files: Sequence[InputFile], target: IO[bytes]) -> None:
    """Write the build context: a tar of exactly these files, without times and owners.

    Raises:
        RepositoryError: a file is no longer what it was when it was hashed.
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
    """Mode as git knows it (plain, executable, link) and bytes; a link's bytes are where it points.

    Every file of every image passes here, so paths are plain text.
    """
    found = os.lstat(path).st_mode
    if stat.S_ISLNK(found):
        return stat.S_IFLNK | 0o777, os.readlink(path).encode()  # noqa: PTH115 - see above
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - see above
        return stat.S_IFREG | (0o755 if found & stat.S_IXUSR else 0o644), file.read()
