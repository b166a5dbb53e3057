"""The state of a repository, to check that nothing in it was changed."""

import hashlib
from pathlib import Path

from todo_release.core.release_folder import RELEASE_FOLDER

from ..shop import Tree


def repository_state(tree: Tree) -> dict[str, str]:
    """Returns references, settings, stash and status, and a hash of every file of the work tree.

    The engine's own folder of journals and reports is left out.
    """
    files = {
        str(path): _hash(path)
        for path in sorted(tree.path.rglob("*"))
        if not {".git", RELEASE_FOLDER} & set(path.relative_to(tree.path).parts)
    }
    answers = {
        "refs": tree.git("for-each-ref"),
        "head": tree.git("rev-parse", "HEAD"),
        "branch": tree.git("branch", "--show-current"),
        "config": tree.git("config", "--local", "--list"),
        "stash": tree.git("stash", "list"),
        "status": tree.git("status", "--porcelain=v1"),
        "objects": tree.git("count-objects", "--verbose"),
    }
    return files | answers


def _hash(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if path.is_dir():
        return "folder"
    return f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
