"""The folder `.release` in which the engine keeps journals, evidence and reports.

It ignores itself: a `.gitignore` inside keeps it out of `git status`, in every repository.
"""

from pathlib import Path

RELEASE_FOLDER = ".release"
IGNORE_FILE = ".gitignore"
IGNORE_ALL = "*\n"


def create(folder: Path) -> Path:
    """Creates `.release` or a folder below it, if it does not exist, and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    root = next((parent for parent in (folder, *folder.parents) if parent.name == RELEASE_FOLDER), None)
    if root is not None and not (root / IGNORE_FILE).exists():
        (root / IGNORE_FILE).write_text(IGNORE_ALL, encoding="utf-8")
    return folder


def evidence_folder(root: Path, environment: str, version: str = "") -> Path:
    """Returns where evidence of an environment is kept.

    With a version it is the evidence of that version's deployment, without one of the environment as it is
    now.
    """
    return root / RELEASE_FOLDER / version / "evidence" / environment
