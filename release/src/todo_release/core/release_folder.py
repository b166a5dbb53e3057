"""The folder `.release` in which the engine keeps journals, evidence and reports."""

from pathlib import Path

RELEASE_FOLDER = ".release"


def evidence_folder(root: Path, environment: str, version: str = "") -> Path:
    """Returns where evidence of an environment is kept.

    With a version it is the evidence of that version's deployment, without one of the environment as it is
    now.
    """
    return root / RELEASE_FOLDER / version / "evidence" / environment
