"""The changelog, built from news fragments: one small file per change, so two branches never edit one line.

A fragment is `<folder>/<anything>.<kind>.md` and says in Markdown what a user should know. A release moves
all fragments into one section at the top of the changelog.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from todo_release.errors import ConfigError

# Also the order of a section: first what a user must not miss.
SECTION_TITLES = {
    "security": "Security",
    "removed": "Removed",
    "changed": "Changed",
    "added": "Added",
    "fixed": "Fixed",
}
TITLE = "# Changelog"
NO_CHANGES = "No changes that a user would notice."


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one change means to a user."""

    path: str
    kind: str
    text: str


def parse_fragments(files: Mapping[str, str]) -> list[Fragment]:
    """Parses fragments by path; the folder's README.md is skipped.

    Raises:
        ConfigError: A name has no known kind, or a file is empty.
    """
    fragments = []
    for path, text in sorted(files.items()):
        name = PurePosixPath(path)
        if name.name == "README.md":
            continue
        kind = PurePosixPath(name.stem).suffix.removeprefix(".")
        if name.suffix != ".md" or kind not in SECTION_TITLES:
            raise ConfigError(
                f"The news fragment {path} does not say its kind.",
                remedy=f"Name it {name.parent}/<short-name>.<{'|'.join(SECTION_TITLES)}>.md.",
                file=path,
            )
        if not text.strip():
            raise ConfigError(
                f"The news fragment {path} is empty.", remedy="Write what a user should know.", file=path
            )
        fragments.append(Fragment(path, kind, text.strip()))
    return fragments


def suggest_bump(fragments: Sequence[Fragment]) -> str:
    """Returns the kind of the next version: removals make it major, additions and changes minor."""
    kinds = {fragment.kind for fragment in fragments}
    if "removed" in kinds:
        return "major"
    return "minor" if kinds & {"added", "changed"} else "patch"


def format_section(version: str, day: date, fragments: Sequence[Fragment]) -> str:
    """Formats the section of a version, in the order of `SECTION_TITLES`."""
    parts = [f"## {version} ({day.isoformat()})"]
    for kind, title in SECTION_TITLES.items():
        texts = [fragment.text.replace("\n", "\n  ") for fragment in fragments if fragment.kind == kind]
        if texts:
            parts.append(f"### {title}\n\n" + "\n".join(f"- {text}" for text in texts))
    if not fragments:
        parts.append(NO_CHANGES)
    return "\n\n".join(parts) + "\n"


def insert_section(changelog: str, version: str, day: date, fragments: Sequence[Fragment]) -> str:
    """Returns the changelog with the version's section at the top; unchanged when it has that section."""
    if find_notes(changelog, version) is not None:
        return changelog
    start = re.search(r"^## ", changelog, re.MULTILINE)
    head = changelog[: start.start()] if start else changelog
    rest = changelog[start.start() :] if start else ""
    head = head.rstrip("\n") or TITLE
    return f"{head}\n\n{format_section(version, day, fragments)}" + (f"\n{rest}" if rest else "")


def find_notes(changelog: str, version: str) -> str | None:
    """Returns the text of a version's section without its heading; None when there is no such section."""
    section = re.search(
        rf"^## {re.escape(version)} .*?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    return section.group(1).strip() if section else None
