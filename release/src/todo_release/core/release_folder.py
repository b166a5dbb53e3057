"""The folder `.release` in which the engine keeps journals, evidence and reports."""

from pathlib import Path

FOLDER = ".release"


def evidence_folder(root: Path, environment: str, version: str = "") -> Path:
    """Where evidence of an environment is kept: of the deployment of a version, or of how it is now."""
    return root / FOLDER / version / "evidence" / environment
