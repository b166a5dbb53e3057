"""The git repository: what a release reads from it and the three things it writes (commit, tag, push)."""

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
    """What a remote has: its branches and tags with the commit each one names (annotated tags resolved)."""

    branches: Mapping[str, str]
    tags: Mapping[str, str]


class Repository:
    """A work tree; every method runs git in it, none keeps state."""

    def __init__(self, root: Path) -> None:
        """`root` is the top of the work tree."""
        self.root = root

    def head(self) -> str:
        """Full id of the commit that is checked out.

        Raises:
            RepositoryError: not a repository, or one without a commit.
        """
        try:
            return self._git("rev-parse", "--verify", "HEAD").strip()
        except CommandError as error:
            raise RepositoryError(
                f"{self.root} is no git repository with a commit.", remedy="Clone it, or commit first."
            ) from error

    def branch(self) -> str | None:
        """Name of the branch that is checked out; None when HEAD is detached."""
        return self._git("branch", "--show-current").strip() or None

    def is_shallow(self) -> bool:
        """Whether history was cut off when cloning, so that older commits are unknown here."""
        return self._git("rev-parse", "--is-shallow-repository").strip() == "true"

    def dirty(self) -> tuple[str, ...]:
        """Paths that differ from the commit: changed, staged, deleted, or untracked and not ignored."""
        entries = self._git("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames").split(
            "\0"
        )
        return tuple(sorted(entry[3:] for entry in entries if entry))

    def tags(self) -> dict[str, str]:
        """Commit of every tag."""
        form = "%(refname:short)%00%(*objectname)%00%(objectname)"
        lines = self._git("for-each-ref", f"--format={form}", "refs/tags").splitlines()
        parts = (line.split("\0") for line in lines)
        return {name: peeled or direct for name, peeled, direct in parts}

    def files(self, include: Sequence[str], exclude: Sequence[str] = ()) -> tuple[str, ...]:
        """Paths that pathspecs select in the work tree, sorted: tracked or untracked, existing, not
        ignored.
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
        """Paths among those selected that differ between a commit and the work tree, sorted."""
        pathspecs = _pathspecs(include, exclude)
        changed = self._git("diff", "--name-only", "-z", "--no-renames", commit, "--", *pathspecs).split("\0")
        untracked = self._git("ls-files", "-z", "--others", "--exclude-standard", "--", *pathspecs).split(
            "\0"
        )
        return tuple(sorted({path for path in (*changed, *untracked) if path}))

    def changed_between(self, old: str, new: str, include: Sequence[str]) -> tuple[str, ...]:
        """Paths among those selected that differ between two commits, sorted; none when nothing is
        selected.
        """
        if not include:
            return ()
        changed = self._git(
            "diff", "--name-only", "-z", "--no-renames", old, new, "--", *_pathspecs(include, ())
        )
        return tuple(sorted(filter(None, changed.split("\0"))))

    def subjects(self, old: str, new: str, include: Sequence[str] = ()) -> tuple[str, ...]:
        """First lines of the messages of the commits that one commit has and an older one has not, newest
        first;
        only of those that touch the selected paths, if any are."""
        pathspecs = _pathspecs(include, ())
        return tuple(
            self._git("log", "--format=%s", "--no-merges", f"{old}..{new}", "--", *pathspecs).splitlines()
        )

    def mentions(
        self, commit: str, words: Sequence[str], include: Sequence[str], exclude: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Where a commit's files among those selected have the last of some words, as `path:line`; only in
        files that have all of them.
        """
        patterns = [part for word in words for part in ("-e", word)]
        found = self._run(
            "grep", "--line-number", "--word-regexp", "--fixed-strings", "--all-match", "-I", *patterns,
            commit, "--", *_pathspecs(include, exclude), check=False,
        )  # fmt: skip
        lines = [line.removeprefix(f"{commit}:").split(":", 2) for line in found.stdout.splitlines()]
        wanted = re.compile(rf"\b{re.escape(words[-1])}\b")
        return tuple(f"{path}:{number}" for path, number, text in lines if wanted.search(text))

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Whether one commit is in the history of another (or is it); False when either is unknown here."""
        return self._run("merge-base", "--is-ancestor", ancestor, descendant, check=False).returncode == 0

    def text_at(self, commit: str, path: str) -> str:
        """Text of a file in a commit.

        Raises:
            RepositoryError: the commit has no such file.
        """
        try:
            return self._git("show", f"{commit}:{path}")
        except CommandError as error:
            raise RepositoryError(
                f"The commit {commit[:12]} has no file {path}.", remedy="Check the paths in release.yaml."
            ) from error

    def files_at(self, commit: str, path: str) -> tuple[str, ...]:
        """Paths of the files that a commit has at or under a path, sorted; none when it has no such path."""
        listed = self._git("ls-tree", "-r", "-z", "--name-only", commit, "--", path)
        return tuple(sorted(filter(None, listed.split("\0"))))

    def day_of(self, commit: str) -> date:
        """The day a commit was made, in UTC."""
        seconds = int(self._git("show", "--no-patch", "--format=%ct", commit))
        return datetime.fromtimestamp(seconds, UTC).date()

    def export(self, commit: str, paths: Iterable[str], folder: Path) -> None:
        """Write files and folders as they are in a commit under `folder`.

        Raises:
            RepositoryError: the commit lacks one of the paths.
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

    def remote_refs(self, remote: str) -> RemoteRefs:
        """Branches and tags that a remote has now.

        Raises:
            RepositoryError: the remote is unknown or does not answer.
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
            branches={n.removeprefix(heads): c for n, c in plain.items() if n.startswith(heads)},
            tags={
                n.removeprefix(tags): refs.get(f"{n}^{{}}", c) for n, c in plain.items() if n.startswith(tags)
            },
        )

    def author(self) -> str:
        """Who a commit made now would be by, as `name <address>`.

        Raises:
            RepositoryError: git does not know who is releasing.
        """
        try:
            return self._git("var", "GIT_COMMITTER_IDENT").rpartition(">")[0] + ">"
        except CommandError as error:
            raise RepositoryError(
                "git does not know who is releasing.",
                remedy="Set user.name and user.email with `git config`.",
            ) from error

    def commit(self, paths: Sequence[str], message: str) -> str:
        """Commit exactly these paths as they are in the work tree; returns the commit's id."""
        self._git("add", "--all", "--", *paths)
        self._git("commit", "--quiet", f"--message={message}", "--", *paths)
        return self.head()

    def tag(self, name: str, commit: str, message: str) -> None:
        """Make an annotated tag.

        Raises:
            RepositoryError: the tag exists.
        """
        try:
            self._git("tag", "--annotate", "--cleanup=whitespace", f"--message={message}", name, commit)
        except CommandError as error:
            raise RepositoryError(
                f"The tag {name} could not be made: {error.problem}", remedy="See `git tag --list`."
            ) from error

    def push(self, remote: str, branch: str, tag: str) -> None:
        """Push a branch and a tag to a remote, both or neither.

        Raises:
            RepositoryError: the remote refused either, so it has neither.
        """
        try:
            self._git("push", "--quiet", "--atomic", remote, f"HEAD:refs/heads/{branch}", f"refs/tags/{tag}")
        except CommandError as error:
            raise RepositoryError(
                f"{remote} did not take {branch} and {tag}: {error.problem}",
                remedy=f"If {branch} moved on there, remove the tag ({tag}), pull, and release again.",
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


# No path is like this. Beside it no include is the common prefix of all, within which `git ls-files` (2.39)
# forgets exclusions that do not begin with that prefix.
MATCHES_NOTHING = ":(top,glob)[/]"


def _is_content(path: str) -> bool:
    """Whether there is a file or a link, wherever it points; asked of every file, so without `Path`."""
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
