"""The local diary of a version's runs: one line of JSON a happening, on disk before the next step begins.

Whether a step is done is always asked of the world (registry, git, cluster), so a lost diary loses no
release. The diary tells what the world cannot: which run was cut off in which step, and how long each step
took.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from todo_release.errors import JournalError

FOLDER = ".release"
Happening = Literal["started", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: what happened to a step, when, and what came of it."""

    step: str
    happening: Happening
    at: datetime
    seconds: float | None
    outcome: dict[str, Any]


class Journal:
    """The diary of one version in one work tree."""

    def __init__(
        self, root: Path, version: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`now` tells the time, aware and in UTC. Nothing is written before the first entry."""
        self.path = root / FOLDER / version / "journal.jsonl"
        self._now = now

    def read(self) -> list[Entry]:
        """All entries, oldest first; a last line that was cut off in the writing is left out.

        Raises:
            JournalError: another line cannot be read.
        """
        if not self.path.is_file():
            return []
        lines = self.path.read_text(encoding="utf-8").split("\n")
        # Every entry ends in a newline, so what follows the last newline was never finished.
        return [self._parse(number, line) for number, line in enumerate(lines[:-1], start=1)]

    def write(
        self,
        step: str,
        happening: Happening,
        *,
        seconds: float | None = None,
        outcome: dict[str, Any] | None = None,
    ) -> None:
        """Append an entry and wait until it is on disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(
            {
                "step": step,
                "happening": happening,
                "at": self._now().isoformat(),
                "seconds": seconds,
                "outcome": outcome or {},
            }
        )
        with self.path.open("rb+" if self.path.exists() else "wb+") as file:
            file.seek(0, os.SEEK_END)
            end = file.tell()
            if end:  # a line cut off by an earlier run would swallow this one
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
                file.seek(0, os.SEEK_END)
            file.write(f"{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())

    def interrupted(self) -> Entry | None:
        """The step that the last run started and never ended; None when it ended in order."""
        entries = self.read()
        return entries[-1] if entries and entries[-1].happening == "started" else None

    def _parse(self, number: int, line: str) -> Entry:
        try:
            raw = json.loads(line)
            return Entry(
                raw["step"],
                raw["happening"],
                datetime.fromisoformat(raw["at"]),
                raw["seconds"],
                raw["outcome"],
            )
        except (ValueError, TypeError, KeyError) as error:
            raise JournalError(
                f"Line {number} of {self.path} cannot be read: {error}",
                remedy="Move the file away; the release finds out by itself what is done.",
            ) from error
