"""Writes files of a commit into a folder: exactly the bytes that git has, and what links there lead to.

`git archive` is not used, because it leaves out and changes files as attributes say (`export-ignore`,
`export-subst`, `eol`). Links are followed inside of the commit and written as what they lead to, because Helm
follows them in a work tree. What git does not have (submodules, files in Git LFS) is refused.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from todo_release.errors import RepositoryError

LINK, SUBMODULE, EXECUTABLE = "120000", "160000", "100755"
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
MAX_LINKS = 40


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file, link or submodule of a commit; bytes of a path that are not UTF-8 are surrogates."""

    mode: str
    object_id: str


class CommitTree:
    """The entries of a commit by path, and the targets of its links."""

    def __init__(self, name: str, entries: Mapping[str, TreeEntry], links: Mapping[str, str]) -> None:
        """Takes the commit's `name` for messages, and what each link says."""
        self._name = name
        self._entries = entries
        self._links = links
        self._folders = {parent for path in entries for parent in _parents(path)}

    def select(self, paths: Iterable[str]) -> dict[str, TreeEntry]:
        """Returns the files at or under some paths, by the path to write them to.

        Raises:
            RepositoryError: The commit lacks a path or the target of a link, or has only a submodule there.
        """
        return {target: entry for path in paths for target, entry in self._files(path, path, ())}

    def _files(self, path: str, target: str, followed: tuple[str, ...]) -> Iterator[tuple[str, TreeEntry]]:
        place = self._follow(path)
        if place is not None and place in self._entries:
            entry = self._entries[place]
            if entry.mode == SUBMODULE:
                raise RepositoryError(
                    f"{target} is a git submodule, so the commit {self._name} does not have its files.",
                    remedy="Commit the files themselves, for example with `git subtree add`.",
                )
            yield target, entry
        elif place is not None and place in self._folders and place not in followed:
            prefix = f"{place}/" if place else ""
            children = {
                name.removeprefix(prefix).partition("/")[0]
                for name in self._entries
                if name.startswith(prefix)
            }
            for child in sorted(children):
                yield from self._files(f"{prefix}{child}", f"{target}/{child}", (*followed, place))
        else:
            raise self._missing(path, target)

    def _follow(self, path: str) -> str | None:
        """Returns the path without links; None when it leads out of the commit or in a circle."""
        done: list[str] = []
        rest = path.split("/")[::-1]
        links = 0
        while rest:
            part = rest.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                if not done:
                    return None
                done.pop()
                continue
            done.append(part)
            if (link := self._links.get("/".join(done))) is not None:
                links += 1
                if link.startswith("/") or links > MAX_LINKS:
                    return None
                done.pop()
                rest += link.split("/")[::-1]
        return "/".join(done)

    def _missing(self, path: str, target: str) -> RepositoryError:
        if path in self._links:
            leads_to = self._links[path]
            return RepositoryError(
                f"The link {target} leads to {leads_to}, which the commit {self._name} does not have.",
                remedy="Commit what it leads to, or replace the link by the file itself.",
            )
        return RepositoryError(
            f"The commit {self._name} has no {target}.",
            remedy="Commit it, or correct the path in release.yaml.",
        )


def write_files(
    files: Mapping[str, TreeEntry], contents: Mapping[str, bytes], folder: Path, commit: str
) -> None:
    """Writes files; `contents` are by object id.

    Raises:
        RepositoryError: A file is in Git LFS.
    """
    for path, entry in files.items():
        data = contents[entry.object_id]
        if data.startswith(LFS_POINTER):
            raise RepositoryError(
                f"{path} is stored in Git LFS, so the commit {commit[:12]} only has a pointer to it.",
                remedy=f"Store the file itself: `git lfs untrack {path}`, then add and commit it again.",
            )
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        if entry.mode == EXECUTABLE:
            target.chmod(0o755)


def parse_tree(listed: str) -> dict[str, TreeEntry]:
    """Parses `git ls-tree -r -z`."""
    entries = {}
    for line in filter(None, listed.split("\0")):
        header, _, path = line.partition("\t")
        mode, _, object_id = header.split(" ")
        entries[path] = TreeEntry(mode, object_id)
    return entries


def parse_contents(object_ids: Iterable[str], answer: bytes) -> dict[str, bytes]:
    """Parses `git cat-file --batch`."""
    contents = {}
    at = 0
    for object_id in object_ids:
        end = answer.index(b"\n", at)
        size = int(answer[at:end].rpartition(b" ")[2])
        contents[object_id] = answer[end + 1 : end + 1 + size]
        at = end + size + 2
    return contents


def _parents(path: str) -> Iterator[str]:
    while path:
        path = path.rpartition("/")[0]
        yield path
