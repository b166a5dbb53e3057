"""The files of this repository that name its commands, and release.yaml."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("k8s/*/*.md"), ROOT / "release/README.md"]
)
SOURCES = sorted((ROOT / "release/src").rglob("*.py"))
RELEASE: dict[str, Any] = yaml.safe_load((ROOT / "release.yaml").read_text())


def name_of(path: Path) -> str:
    """Returns the path from the repository root, for the id of a test."""
    return str(path.relative_to(ROOT))
