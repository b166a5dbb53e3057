"""A clone of the repository with a remote of its own: nothing done there reaches the real ones."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from todo_release.adapters import process
from todo_release.adapters.git import GITLINK_MODE, Repository

REMOTE = "origin"
# No passphrase is asked for, and none of the user's hooks runs.
SETTINGS = {
    "user.name": "Rehearsal",
    "user.email": "rehearsal@example.invalid",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "core.hooksPath": "/dev/null",
}


@dataclass(frozen=True, slots=True)
class ScratchRepository:
    """A clone in `tree`.

    `original` is the cloned work tree, `head` the commit to release; `uncommitted` are the paths that
    are committed here but not in the original.
    """

    original: Path
    tree: Path
    branch: str
    head: str
    uncommitted: tuple[str, ...]

    def check_out(self, commit: str) -> None:
        """Moves the release branch to a commit, here and at the remote."""
        for path in _submodules(self.tree):
            shutil.rmtree(self.tree / path, ignore_errors=True)
        _git(self.tree, "switch", "--quiet", "--force-create", self.branch, commit)
        _check_out_submodules(self.tree, self.original)
        _git(self.tree, "push", "--quiet", "--force", REMOTE, self.branch)

    def change(self, paths: Iterable[str]) -> str:
        """Appends a comment to each file, commits and pushes, and returns the commit's id."""
        for path in paths:
            with (self.tree / path).open("a", encoding="utf-8") as file:
                file.write("# rehearsed\n")
        _git(self.tree, "commit", "--quiet", "--message", "rehearsal: Change every image.", "--", *paths)
        _git(self.tree, "push", "--quiet", REMOTE, self.branch)
        return Repository(self.tree).head()

    def write(self, path: str, text: str) -> None:
        """Replaces the text of a file, commits and pushes."""
        (self.tree / path).write_text(text, encoding="utf-8")
        _git(self.tree, "commit", "--quiet", "--message", f"rehearsal: Write {path}.", "--", path)
        _git(self.tree, "push", "--quiet", REMOTE, self.branch)

    def merge_history(self, tag: str) -> None:
        """Makes the release branch contain a tag, without changing a file, and pushes."""
        _git(self.tree, "merge", "--quiet", "--strategy=ours", f"--message=rehearsal: Contain {tag}.", tag)
        _git(self.tree, "push", "--quiet", REMOTE, self.branch)

    def delete_tag(self, tag: str) -> None:
        """Deletes a tag, here and at the remote."""
        _git(self.tree, "tag", "--delete", tag)
        _git(self.tree, "push", "--quiet", "--delete", REMOTE, f"refs/tags/{tag}")

    def refs(self) -> str:
        """Returns every branch and tag of the remote with its commit, as `git ls-remote` prints them."""
        return _git(self.tree, "ls-remote", REMOTE)


def clone(original: Repository, folder: Path, branch: str) -> ScratchRepository:
    """Clones the checked-out commit and the uncommitted changes into `folder`, as the release branch.

    Submodules have the files of the commit that is recorded; other nested repositories are left out. Nothing
    is written in the original.

    Raises:
        CommandError: git refused.
    """
    remote, tree = folder / "remote.git", folder / "tree"
    _git(folder, "clone", "--quiet", "--bare", str(original.root), str(remote))
    _git(folder, "clone", "--quiet", "--origin", REMOTE, str(remote), str(tree))
    for name, value in SETTINGS.items():
        _git(tree, "config", name, value)
    _git(tree, "switch", "--quiet", "--force-create", branch, original.head())
    uncommitted = tuple(path for path in original.dirty() if not (original.root / path / ".git").exists())
    if uncommitted:
        _add_to_index(tree, original.root.resolve(), uncommitted)
        _git(tree, "commit", "--quiet", "--allow-empty", "--message", "rehearsal: Uncommitted changes.")
        _git(tree, "reset", "--quiet", "--hard")
        _git(tree, "clean", "--quiet", "--force", "-d", "-x")
    _check_out_submodules(tree, original.root)
    _git(tree, "push", "--quiet", "--force", REMOTE, branch)
    return ScratchRepository(
        original=original.root,
        tree=tree,
        branch=branch,
        head=Repository(tree).head(),
        uncommitted=uncommitted,
    )


def _submodules(tree: Path) -> dict[str, str]:
    """Returns the recorded commit of each submodule by its path."""
    listed = _git(tree, "ls-files", "--stage", "-z").split("\0")
    entries = (entry.partition("\t") for entry in listed if entry.startswith(GITLINK_MODE))
    return {path: fields.split()[1] for fields, _, path in entries}


def _check_out_submodules(tree: Path, original: Path) -> None:
    """Clones the submodules that the original has, without asking their remotes."""
    for path, commit in _submodules(tree).items():
        if (original / path / ".git").exists():
            shutil.rmtree(tree / path, ignore_errors=True)
            _git(tree, "clone", "--quiet", "--no-checkout", str(original / path), path)
            _git(tree / path, "checkout", "--quiet", "--detach", commit)
            _check_out_submodules(tree / path, original / path)


def _add_to_index(tree: Path, original: Path, paths: Iterable[str]) -> None:
    """Adds files of the original work tree with git itself, which handles links and file modes."""
    existing = {path for path in paths if _exists(original, path)}
    git = ["git", f"--git-dir={tree / '.git'}", f"--work-tree={original}", "update-index"]
    for options, listed in ((["--force-remove"], set(paths) - existing), (["--add", "--replace"], existing)):
        text = "".join(f"{path}\0" for path in sorted(listed))
        process.run([*git, *options, "-z", "--stdin"], cwd=original, stdin=text)


def _exists(original: Path, path: str) -> bool:
    """Returns whether a path is a file or a link, and not one behind a linked folder."""
    file = original / path
    return (file.is_symlink() or file.is_file()) and file.parent == file.parent.resolve()


def _git(folder: Path, *arguments: str) -> str:
    return process.run(["git", *arguments], cwd=folder).stdout
