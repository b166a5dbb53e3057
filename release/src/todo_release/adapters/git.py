"""The git repository: all reads of a release, and its three writes (commit, tag, push)."""

import os
import re
import stat
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from todo_release.adapters import process
from todo_release.errors import CommandError, RepositoryError

NETWORK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RemoteRefs:
    """The branches and tags of a remote with the commit of each; annotated tags are resolved."""

    branches: Mapping[str, str]
    tags: Mapping[str, str]


class Repository:
    """A work tree; every method runs git in it, and none keeps state."""

    def __init__(self, root: Path) -> None:
        """Takes the top folder of the work tree."""
        self.root = root

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
        entries = self._git("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames").split(
            "\0"
        )
        return tuple(sorted(entry[3:] for entry in entries if entry))

    def tags(self) -> dict[str, str]:
        """Returns the commit of every tag."""
        form = "%(refname:short)%00%(*objectname)%00%(objectname)"
        lines = self._git("for-each-ref", f"--format={form}", "refs/tags").splitlines()
        parts = (line.split("\0") for line in lines)
        return {name: peeled or direct for name, peeled, direct in parts}

    def files(self, include: Sequence[str], exclude: Sequence[str] = ()) -> tuple[str, ...]:
        """Returns the sorted paths that pathspecs select in the work tree.

        They are tracked or untracked, exist, and are not ignored.
        """
        listed = self._git(
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
            *_pathspecs(include, exclude),
        )
        paths = sorted(set(filter(None, listed.split("\0"))))
        return tuple(path for path in paths if _is_content(f"{self.root}/{path}"))

    def changed_since(
        self, commit: str, include: Sequence[str], exclude: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Returns the sorted paths that differ between a commit and the work tree, among those selected."""
        pathspecs = _pathspecs(include, exclude)
        changed = self._git("diff", "--name-only", "-z", "--no-renames", commit, "--", *pathspecs).split("\0")
        untracked = self._git("ls-files", "-z", "--others", "--exclude-standard", "--", *pathspecs).split(
            "\0"
        )
        return tuple(sorted({path for path in (*changed, *untracked) if path}))

    def changed_between(self, old: str, new: str, include: Sequence[str]) -> tuple[str, ...]:
        """Returns the sorted paths that differ between two commits, among those selected.

        When nothing is selected there are none.
        """
        if not include:
            return ()
        changed = self._git(
            "diff", "--name-only", "-z", "--no-renames", old, new, "--", *_pathspecs(include, ())
        )
        return tuple(sorted(filter(None, changed.split("\0"))))

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
            return self._git("show", f"{commit}:{path}")
        except CommandError as error:
            raise RepositoryError(
                f"The commit {commit[:12]} has no file {path}.", remedy="Check the paths in release.yaml."
            ) from error

    def files_at(self, commit: str, path: str) -> tuple[str, ...]:
        """Returns the sorted paths of a commit's files at or under a path; none when it has no such path."""
        listed = self._git("ls-tree", "-r", "-z", "--name-only", commit, "--", path)
        return tuple(sorted(filter(None, listed.split("\0"))))

    def day_of(self, commit: str) -> date:
        """Returns the day of a commit, in UTC."""
        seconds = int(self._git("show", "--no-patch", "--format=%ct", commit))
        return datetime.fromtimestamp(seconds, UTC).date()

    def export(self, commit: str, paths: Iterable[str], folder: Path) -> None:
        """Writes files and folders of a commit into `folder`.

        Raises:
            RepositoryError: The commit lacks one of the paths.
        """
        with tempfile.TemporaryDirectory() as scratch:
            archive = Path(scratch) / "export.tar"
            try:
                self._git("archive", "--format=tar", f"--output={archive}", commit, "--", *paths)
            except CommandError as error:
                raise RepositoryError(
                    f"The commit {commit[:12]} cannot be exported: {error.problem}",
                    remedy="Check the paths in release.yaml.",
                ) from error
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")

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

    def push(self, remote: str, branch: str, tag: str) -> None:
        """Pushes a branch and a tag to a remote, both or neither.

        Raises:
            RepositoryError: The remote refused one of them, so it has neither.
        """
        try:
            self._git("push", "--quiet", "--atomic", remote, f"HEAD:refs/heads/{branch}", f"refs/tags/{tag}")
        except CommandError as error:
            raise RepositoryError(
                f"{remote} did not accept {branch} and {tag}: {error.problem}",
                remedy=f"If {branch} has newer commits there, delete the tag {tag}, pull, and release again.",
            ) from error

    def _git(self, *arguments: str) -> str:
        return self._run(*arguments).stdout

    def _run(self, *arguments: str, check: bool = True) -> process.Completed:
        return process.run(
            ["git", "-c", "core.quotePath=false", *arguments],
            cwd=self.root,
            env={"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            timeout_seconds=NETWORK_SECONDS,
            check=check,
        )


# A pathspec that matches nothing. `git ls-files` (2.39) forgets exclusions outside of the common prefix of
# all includes; with this pathspec beside them there is no common prefix.
MATCHES_NOTHING = ":(top,glob)[/]"


def _is_content(path: str) -> bool:
    """Checks whether a path is a file or a link; called for every file, hence without the slower `Path`."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _pathspecs(include: Sequence[str], exclude: Sequence[str]) -> list[str]:
    if not include:
        return []
    included = [*(f":(top,glob){path}" for path in include), MATCHES_NOTHING]
    return included + [f":(top,exclude,glob){path}" for path in exclude]
