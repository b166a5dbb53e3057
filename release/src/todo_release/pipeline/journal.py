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

from todo_release.core.release_folder import FOLDER
from todo_release.errors import JournalError

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
        return self._read(self.path) if self.path.is_file() else []

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

    def interrupted(self) -> list[Entry]:
        """The steps that a run started and none ended; empty when all ended in order."""
        last = {entry.step: entry for entry in self.read()}
        return [entry for entry in last.values() if entry.happening == "started"]

    def seconds_before(self) -> dict[str, float]:
        """How long each step took when it was last done, in any version whose diary is here."""
        diaries = sorted(
            self.path.parents[1].glob(f"*/{self.path.name}"), key=lambda path: path.stat().st_mtime
        )
        return {
            entry.step: entry.seconds
            for path in diaries
            for entry in self._read(path)
            if entry.happening == "done" and entry.seconds
        }

    @classmethod
    def _read(cls, path: Path) -> list[Entry]:
        # Every entry ends in a newline, so what follows the last newline was never finished.
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        return [cls._parse(path, number, line) for number, line in enumerate(lines, start=1)]

    @staticmethod
    def _parse(path: Path, number: int, line: str) -> Entry:
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
                f"Line {number} of {path} cannot be read: {error}",
                remedy="Move the file away; the release finds out by itself what is done.",
            ) from error
