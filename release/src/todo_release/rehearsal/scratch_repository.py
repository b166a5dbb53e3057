"""A scratch clone of the repository with a remote of its own: nothing done there reaches the real ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from todo_release.adapters import process
from todo_release.adapters.git import Repository

REMOTE = "origin"
# Nobody is asked for a passphrase, and no hook of the person's own has a say.
SETTINGS = {
    "user.name": "RehearsalSettings",
    "user.email": "rehearsal@example.invalid",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "core.hooksPath": "/dev/null",
}


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

    Repositories inside of the original are left out. Nothing is written in the original.

    Raises:
        CommandError: git refused.
    """
    remote, tree = folder / "remote.git", folder / "tree"
    _git(folder, "clone", "--quiet", "--bare", str(original.root), str(remote))
    _git(folder, "clone", "--quiet", "--origin", REMOTE, str(remote), str(tree))
    for name, value in SETTINGS.items():
        _git(tree, "config", name, value)
    _git(tree, "switch", "--quiet", "--force-create", branch, original.head())
    extra = tuple(path for path in original.dirty() if not (original.root / path / ".git").exists())
    if extra:
        _stage(tree, original.root.resolve(), extra)
        _git(tree, "commit", "--quiet", "--allow-empty", "--message", "rehearsal: What is not committed yet.")
        _git(tree, "reset", "--quiet", "--hard")
        _git(tree, "clean", "--quiet", "--force", "-d", "-x")
    _git(tree, "push", "--quiet", "--force", REMOTE, branch)
    return Scratch(tree=tree, branch=branch, head=Repository(tree).head(), extra=extra)


def _stage(tree: Path, original: Path, paths: Iterable[str]) -> None:
    """Have git read the other work tree itself: it knows best what a link or a mode means."""
    there = {path for path in paths if _is_there(original, path)}
    git = ["git", f"--git-dir={tree / '.git'}", f"--work-tree={original}", "update-index"]
    for options, listed in ((["--force-remove"], set(paths) - there), (["--add", "--replace"], there)):
        text = "".join(f"{path}\0" for path in sorted(listed))
        process.run([*git, *options, "-z", "--stdin"], cwd=original, stdin=text)


def _is_there(original: Path, path: str) -> bool:
    """Whether a path names a file or a link, and not one that only a link above it leads to."""
    file = original / path
    return (file.is_symlink() or file.is_file()) and file.parent == file.parent.resolve()


def _git(folder: Path, *arguments: str) -> str:
    return process.run(["git", *arguments], cwd=folder).stdout
