"""A scratch clone of the repository with a remote of its own: nothing done there reaches the real ones."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from todo_release import command
from todo_release.git import Repository

REMOTE = "origin"
PERSON = {"user.name": "Rehearsal", "user.email": "rehearsal@example.invalid"}


@dataclass(frozen=True, slots=True)
class Scratch:
    """A clone in `tree`; `head` is the commit that is to be released, `extra` the paths that are committed
    here and not in the original.
    """

    tree: Path
    branch: str
    head: str
    extra: tuple[str, ...]

    def check_out(self, commit: str) -> None:
        """Let the release branch be at a commit, here and at the remote."""
        _git(self.tree, "switch", "--quiet", "--force-create", self.branch, commit)
        _git(self.tree, "push", "--quiet", "--force", REMOTE, self.branch)

    def change(self, paths: Iterable[str]) -> str:
        """Commit a line of comment more in each of some files, on the release branch; the commit's id."""
        for path in paths:
            with (self.tree / path).open("a", encoding="utf-8") as file:
                file.write("# rehearsed\n")
        _git(self.tree, "commit", "--quiet", "--message", "rehearsal: Change every image.", "--", *paths)
        _git(self.tree, "push", "--quiet", REMOTE, self.branch)
        return Repository(self.tree).head()

    def forget_tag(self, tag: str) -> None:
        """Let a version be unreleased, here and at the remote."""
        _git(self.tree, "tag", "--delete", tag)
        _git(self.tree, "push", "--quiet", "--delete", REMOTE, f"refs/tags/{tag}")

    def refs(self) -> str:
        """Every branch and tag of the remote with its commit, as text."""
        return _git(self.tree, "ls-remote", REMOTE)


def clone(original: Repository, folder: Path, branch: str) -> Scratch:
    """Clone what is checked out into `folder`, what is not committed included, as the release branch.

    Raises:
        CommandError: git refused.
    """
    remote, tree = folder / "remote.git", folder / "tree"
    _git(folder, "clone", "--quiet", "--bare", str(original.root), str(remote))
    _git(folder, "clone", "--quiet", "--origin", REMOTE, str(remote), str(tree))
    for name, value in PERSON.items():
        _git(tree, "config", name, value)
    _git(tree, "switch", "--quiet", "--force-create", branch, original.head())
    extra = original.dirty()
    for path in extra:
        _copy(original.root / path, tree / path)
    if extra:
        _git(tree, "add", "--all", "--force", "--", *extra)
        _git(tree, "commit", "--quiet", "--message", "rehearsal: What is not committed yet.")
    _git(tree, "push", "--quiet", "--force", REMOTE, branch)
    return Scratch(tree=tree, branch=branch, head=Repository(tree).head(), extra=extra)


def _copy(source: Path, target: Path) -> None:
    """What is gone in the original goes here too."""
    target.unlink(missing_ok=True)
    if source.is_symlink() or source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)


def _git(folder: Path, *arguments: str) -> str:
    return command.run(["git", *arguments], cwd=folder).stdout
