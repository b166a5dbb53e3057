"""The git repository: all reads of a release, and its writes (commit, tag, push, and taking both back).

What is read of a commit is kept, because a commit never changes: one command asks for the same text many
times, and every answer costs a process.
"""

import os
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from todo_release.adapters import git_export, pathspec, process
from todo_release.adapters.file_list import FileList
from todo_release.adapters.git_export import CommitTree
from todo_release.errors import CommandError, RepositoryError

NETWORK_SECONDS = 60.0
GITLINK_MODE = "160000"
FULL_ID = re.compile(r"^([0-9a-f]{40}|[0-9a-f]{64})$")


@dataclass(frozen=True, slots=True)
class RemoteRefs:
    """The branches and tags of a remote with the commit of each; annotated tags are resolved."""

    branches: Mapping[str, str]
    tags: Mapping[str, str]


class Repository:
    """A work tree; every method runs git in it, and nothing that may change is kept."""

    def __init__(self, root: Path) -> None:
        """Takes the top folder of the work tree."""
        self.root = root
        self._known: dict[tuple[str, ...], str] = {}
        self._reading = threading.Lock()

    def head(self) -> str:
        """Returns the full id of the commit that is checked out.

        Raises:
            RepositoryError: This is not a repository, or one without a commit.
        """
        try:
            return self._git("rev-parse", "--verify", "HEAD").strip()
        except CommandError as error:
            raise RepositoryError(
                f"{self.root} is not a git repository with a commit.", remedy="Clone it, or commit first."
            ) from error

    def branch(self) -> str | None:
        """Returns the name of the branch that is checked out; None when HEAD is detached."""
        return self._git("branch", "--show-current").strip() or None

    def is_shallow(self) -> bool:
        """Checks whether the clone is shallow, so that older commits are missing."""
        return self._git("rev-parse", "--is-shallow-repository").strip() == "true"

    def dirty(self) -> tuple[str, ...]:
        """Returns the paths that differ from the commit: changed, staged, deleted, or untracked."""
        options = ("--untracked-files=all", "--no-renames", "--ignore-submodules=none")
        entries = self._git("status", "--porcelain=v1", "-z", *options).split("\0")
        return tuple(sorted(entry[3:] for entry in entries if entry))

    def tags(self, *, within: str | None = None) -> dict[str, str]:
        """Returns the commit of every tag, or of those tags that a commit contains."""
        form = "%(refname:lstrip=2)%00%(*objectname)%00%(objectname)"
        merged = (f"--merged={within}",) if within else ()
        lines = self._git("for-each-ref", f"--format={form}", *merged, "refs/tags").splitlines()
        parts = (line.split("\0") for line in lines)
        return {name: peeled or direct for name, peeled, direct in parts}

    def list_files(self) -> FileList:
        """Returns the paths of the work tree, also those inside of submodules."""
        options = ("-z", "-t", "--stage", "--cached", "--others", "--exclude-standard")
        listed = self._run("ls-files", *options, undecodable="surrogateescape").stdout
        paths, submodules, empty_submodules = set[str](), set[str](), set[str]()
        for line in filter(None, listed.split("\0")):
            status, _, rest = line.partition(" ")
            entry, tab, path = rest.partition("\t")
            if status == "?" or not tab:
                paths.add(rest)
            elif not entry.startswith(GITLINK_MODE):
                paths.add(path)
            elif (self.root / path / ".git").exists():
                inner = Repository(self.root / path).list_files()
                submodules |= {path, *(f"{path}/{name}" for name in inner.submodules)}
                empty_submodules |= {f"{path}/{name}" for name in inner.empty_submodules}
                paths |= {f"{path}/{name}" for name in inner.paths}
            else:
                empty_submodules.add(path)
        return FileList(
            self.root, tuple(sorted(paths)), tuple(sorted(submodules)), tuple(sorted(empty_submodules))
        )

    def files(self, include: Sequence[str], exclude: Sequence[str] = ()) -> tuple[str, ...]:
        """Returns the sorted paths that pathspecs select in the work tree.

        They are tracked or untracked, exist, and are not ignored.
        """
        return self.list_files().select(include, exclude)

    def changed_paths(self, commit: str) -> tuple[str, ...]:
        """Returns every path that differs between a commit and the work tree; a submodule is one path."""
        changed = self._git("diff", "--name-only", "-z", "--no-renames", "--ignore-submodules=none", commit)
        untracked = self._git("ls-files", "-z", "--others", "--exclude-standard")
        return tuple(sorted({path for path in f"{changed}{untracked}".split("\0") if path}))

    def changed_since(
        self, commit: str, include: Sequence[str], exclude: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Returns the sorted paths that differ between a commit and the work tree, among those selected."""
        return pathspec.select(self.changed_paths(commit), include, exclude)

    def changed_between(
        self, old: str, new: str, include: Sequence[str], exclude: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Returns the sorted paths that differ between two commits, among those selected.

        When nothing is selected there are none.
        """
        if not include:
            return ()
        changed = self._of_commits((old, new), "diff", "--name-only", "-z", "--no-renames", old, new)
        return pathspec.select(filter(None, changed.split("\0")), include, exclude)

    def subjects(self, old: str, new: str, include: Sequence[str] = ()) -> tuple[str, ...]:
        """Returns the subjects of the commits since an older commit, newest first.

        With selected paths, only commits that touch them are taken.
        """
        pathspecs = _pathspecs(include, ())
        return tuple(
            self._git("log", "--format=%s", "--no-merges", f"{old}..{new}", "--", *pathspecs).splitlines()
        )

    def mentions(
        self, commit: str, words: Sequence[str], include: Sequence[str], exclude: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Returns the lines (`path:line`) of a commit's selected files that contain the last of some words.

        Only files that contain all of the words are searched.
        """
        patterns = [part for word in words for part in ("-e", word)]
        matches = self._run(
            "grep", "--line-number", "--word-regexp", "--fixed-strings", "--all-match", "-I", *patterns,
            commit, "--", *_pathspecs(include, exclude), check=False,
        )  # fmt: skip
        lines = [line.removeprefix(f"{commit}:").split(":", 2) for line in matches.stdout.splitlines()]
        wanted = re.compile(rf"\b{re.escape(words[-1])}\b")
        return tuple(f"{path}:{number}" for path, number, text in lines if wanted.search(text))

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Checks whether a commit is another one or in its history; False when either is unknown here."""
        return self._run("merge-base", "--is-ancestor", ancestor, descendant, check=False).returncode == 0

    def text_at(self, commit: str, path: str) -> str:
        """Returns the text of a file in a commit.

        Raises:
            RepositoryError: The commit has no such file.
        """
        try:
            return self._of_commits((commit,), "show", f"{commit}:{path}")
        except CommandError as error:
            raise RepositoryError(
                f"The commit {commit[:12]} has no file {path}.", remedy="Check the paths in release.yaml."
            ) from error

    def texts_at(self, commit: str, folder: str) -> dict[str, str]:
        """Returns the text of every file at or under a path of a commit; none when it has no such path."""
        paths = self.files_at(commit, folder)
        if not paths:
            return {}
        wanted = "".join(f"{commit}:{path}\n" for path in paths)
        answer = self._run("cat-file", "--batch", stdin=wanted, undecodable="surrogateescape")
        rest = os.fsencode(answer.stdout)
        texts = {}
        for path in paths:
            header, _, rest = rest.partition(b"\n")
            size = int(header.rpartition(b" ")[2])
            texts[path], rest = rest[:size].decode(errors="replace"), rest[size + 1 :]
        return texts

    def files_at(self, commit: str, path: str) -> tuple[str, ...]:
        """Returns the sorted paths of a commit's files at or under a path; none when it has no such path."""
        listed = self._of_commits((commit,), "ls-tree", "-r", "-z", "--name-only", commit, "--", path)
        return tuple(sorted(filter(None, listed.split("\0"))))

    def day_of(self, commit: str) -> date:
        """Returns the day of a commit, in UTC."""
        seconds = int(self._of_commits((commit,), "show", "--no-patch", "--format=%ct", commit))
        return datetime.fromtimestamp(seconds, UTC).date()

    def parents(self, commit: str) -> tuple[str, ...]:
        """Returns the parents of a commit."""
        return tuple(
            self._of_commits((commit,), "rev-list", "--parents", "--max-count=1", commit).split()[1:]
        )

    def export(self, commit: str, paths: Iterable[str], folder: Path) -> None:
        """Writes files and folders of a commit into `folder`, as git has them; links become what they name.

        Raises:
            RepositoryError: The commit lacks one of the paths, what a link leads to, or the bytes of a file.
        """
        files = self._tree_of(commit).select(paths)
        contents = self._contents({entry.object_id for entry in files.values()})
        git_export.write_files(files, contents, folder, commit)

    def _tree_of(self, commit: str) -> CommitTree:
        listing = ("ls-tree", "-r", "-z", "--full-tree", commit)
        listed = self._of_commits((commit,), *listing, undecodable="surrogateescape")
        entries = git_export.parse_tree(listed)
        ids = {entry.object_id for entry in entries.values() if entry.mode == git_export.LINK}
        targets = self._contents(ids)
        links = {
            path: os.fsdecode(targets[entry.object_id])
            for path, entry in entries.items()
            if entry.mode == git_export.LINK
        }
        return CommitTree(commit[:12], entries, links)

    def _contents(self, object_ids: Iterable[str]) -> dict[str, bytes]:
        wanted = sorted(object_ids)
        if not wanted:
            return {}
        asked = "".join(f"{object_id}\n" for object_id in wanted)
        answer = self._run("cat-file", "--batch", stdin=asked, undecodable="surrogateescape")
        return git_export.parse_contents(wanted, answer.stdout.encode(errors="surrogateescape"))

    def remote_url(self, remote: str) -> str | None:
        """Returns the address of a remote; None when there is no such remote."""
        listed = (line.split() for line in self._git("remote", "--verbose").splitlines())
        return next((address for name, address, *_ in listed if name == remote), None)

    def remote_refs(self, remote: str) -> RemoteRefs:
        """Returns the branches and tags that a remote has now.

        Raises:
            RepositoryError: The remote is unknown or does not answer.
        """
        try:
            listed = self._git("ls-remote", "--heads", "--tags", remote)
        except CommandError as error:
            raise RepositoryError(
                f"The remote {remote!r} does not answer: {error.problem}",
                remedy="Check `git remote -v` and your access, or release without a remote.",
            ) from error
        refs = {name: commit for commit, _, name in (line.partition("\t") for line in listed.splitlines())}
        heads, tags = "refs/heads/", "refs/tags/"
        plain = {name: commit for name, commit in refs.items() if not name.endswith("^{}")}
        return RemoteRefs(
            branches={
                name.removeprefix(heads): commit for name, commit in plain.items() if name.startswith(heads)
            },
            tags={
                name.removeprefix(tags): refs.get(f"{name}^{{}}", commit)
                for name, commit in plain.items()
                if name.startswith(tags)
            },
        )

    def author(self) -> str:
        """Returns the author of a commit made now, as `name <address>`.

        Raises:
            RepositoryError: Git does not know who is releasing.
        """
        try:
            return self._git("var", "GIT_COMMITTER_IDENT").rpartition(">")[0] + ">"
        except CommandError as error:
            raise RepositoryError(
                "git does not know who is releasing.",
                remedy="Set user.name and user.email with `git config`.",
            ) from error

    def commit(self, paths: Sequence[str], message: str) -> str:
        """Commits exactly these paths as they are in the work tree, and returns the commit's id."""
        self._git("add", "--all", "--", *paths)
        self._git("commit", "--quiet", f"--message={message}", "--", *paths)
        return self.head()

    def tag(self, name: str, commit: str, message: str) -> None:
        """Creates an annotated tag.

        Raises:
            RepositoryError: The tag exists.
        """
        try:
            self._git("tag", "--annotate", "--cleanup=whitespace", f"--message={message}", name, commit)
        except CommandError as error:
            raise RepositoryError(
                f"The tag {name} could not be created: {error.problem}", remedy="See `git tag --list`."
            ) from error

    def push(self, remote: str, branch: str, tag: str, commit: str) -> None:
        """Pushes a tag, and a branch up to the commit that is tagged, to a remote: both or neither.

        Raises:
            RepositoryError: The remote refused one of them, so it has neither.
        """
        refs = (f"{commit}:refs/heads/{branch}", f"refs/tags/{tag}")
        try:
            self._git("push", "--quiet", "--atomic", remote, *refs)
        except CommandError as error:
            raise RepositoryError(
                f"{remote} did not accept {branch} and {tag}: {error.problem}",
                remedy="Correct it and run the same command again; it continues with the push.",
            ) from error

    def fetch_branch(self, remote: str, branch: str) -> str:
        """Fetches a branch without its tags, and returns the commit at its end.

        Raises:
            RepositoryError: The remote does not answer or has no such branch.
        """
        try:
            self._git("fetch", "--quiet", "--no-tags", remote, f"refs/heads/{branch}")
        except CommandError as error:
            raise RepositoryError(
                f"{branch} could not be fetched from {remote}: {error.problem}",
                remedy="Run the same command again; it continues with the push.",
            ) from error
        return self._git("rev-parse", "--verify", "FETCH_HEAD").strip()

    def delete_tag(self, name: str) -> None:
        """Deletes a tag here."""
        self._git("tag", "--delete", name)

    def move_branch(self, commit: str) -> None:
        """Moves the branch that is checked out to a commit; changes that are not committed stay.

        Raises:
            RepositoryError: A change that is not committed is in a file that would be replaced.
        """
        try:
            self._git("reset", "--quiet", "--keep", commit)
        except CommandError as error:
            raise RepositoryError(
                f"The branch cannot be moved to {commit[:12]}: {error.problem}",
                remedy="Commit or remove the changes in the work tree, then run the same command again.",
            ) from error

    def _of_commits(
        self,
        commits: Sequence[str],
        *arguments: str,
        undecodable: Literal["replace", "surrogateescape"] = "replace",
    ) -> str:
        """Returns what git prints about commits, and keeps it when these are full ids and not names."""
        with self._reading:  # previews of several environments ask for the same at the same time
            if arguments in self._known:
                return self._known[arguments]
            answer = self._run(*arguments, undecodable=undecodable).stdout
            if all(FULL_ID.match(commit) for commit in commits):
                self._known[arguments] = answer
            return answer

    def _git(self, *arguments: str) -> str:
        return self._run(*arguments).stdout

    def _run(
        self,
        *arguments: str,
        check: bool = True,
        stdin: str | None = None,
        undecodable: Literal["replace", "surrogateescape"] = "replace",
    ) -> process.Completed:
        return process.run(
            ["git", "-c", "core.quotePath=false", *arguments],
            cwd=self.root,
            env={"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            stdin=stdin,
            timeout_seconds=NETWORK_SECONDS,
            check=check,
            undecodable=undecodable,
        )


# A pathspec that matches nothing. `git ls-files` (2.39) forgets exclusions outside of the common prefix of
# all includes; with this pathspec beside them there is no common prefix.
MATCHES_NOTHING = ":(top,glob)[/]"


def _pathspecs(include: Sequence[str], exclude: Sequence[str]) -> list[str]:
    if not include:
        return []
    included = [*(f":(top,glob){path}" for path in include), MATCHES_NOTHING]
    return included + [f":(top,exclude,glob){path}" for path in exclude]
