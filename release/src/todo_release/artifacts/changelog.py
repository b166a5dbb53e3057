"""The changelog, made of fragments: one small file a change, so that two branches never edit the same line.

A fragment is `<folder>/<anything>.<kind>.md` and holds what a user should know, as Markdown. A release moves
all of them into one section on top of the changelog.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from todo_release.errors import ConfigError

KINDS = {
    "security": "Security",
    "removed": "Removed",
    "changed": "Changed",
    "added": "Added",
    "fixed": "Fixed",
}
TITLE = "# Changelog"
NOTHING = "No changes that a user would notice."


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one change means to a user."""

    path: str
    kind: str
    text: str


def parse(files: Mapping[str, str]) -> list[Fragment]:
    """Read fragments by path; README.md of the folder is none.

    Raises:
        ConfigError: a name has no known kind, or a file is empty.
    """
    found = []
    for path, text in sorted(files.items()):
        name = PurePosixPath(path)
        if name.name == "README.md":
            continue
        kind = PurePosixPath(name.stem).suffix.removeprefix(".")
        if name.suffix != ".md" or kind not in KINDS:
            raise ConfigError(
                f"The news fragment {path} does not say its kind.",
                remedy=f"Name it {name.parent}/<short-name>.<{'|'.join(KINDS)}>.md.",
                file=path,
            )
        if not text.strip():
            raise ConfigError(
                f"The news fragment {path} is empty.", remedy="Write what a user should know.", file=path
            )
        found.append(Fragment(path, kind, text.strip()))
    return found


def kind_of_version(fragments: Sequence[Fragment]) -> str:
    """What the news ask of the next version: removals a major one, additions and changes a minor one."""
    kinds = {fragment.kind for fragment in fragments}
    if "removed" in kinds:
        return "major"
    return "minor" if kinds & {"added", "changed"} else "patch"


def section(version: str, day: date, fragments: Sequence[Fragment]) -> str:
    """The section of a version, ordered by what a user must not miss."""
    parts = [f"## {version} ({day.isoformat()})"]
    for kind, title in KINDS.items():
        texts = [fragment.text.replace("\n", "\n  ") for fragment in fragments if fragment.kind == kind]
        if texts:
            parts.append(f"### {title}\n\n" + "\n".join(f"- {text}" for text in texts))
    if not fragments:
        parts.append(NOTHING)
    return "\n\n".join(parts) + "\n"


def insert(changelog: str, version: str, day: date, fragments: Sequence[Fragment]) -> str:
    """The changelog with the section of a version above all others; unchanged when it has that section."""
    if notes(changelog, version) is not None:
        return changelog
    start = re.search(r"^## ", changelog, re.MULTILINE)
    head = changelog[: start.start()] if start else changelog
    rest = changelog[start.start() :] if start else ""
    head = head.rstrip("\n") or TITLE
    return f"{head}\n\n{section(version, day, fragments)}" + (f"\n{rest}" if rest else "")


def notes(changelog: str, version: str) -> str | None:
    """What a version's section says, without its heading; None when there is none."""
    found = re.search(rf"^## {re.escape(version)} .*?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found.group(1).strip() if found else None
