"""The local journal of a version's runs: one JSON line for each change of a step.

A line is on disk before the next step begins. Whether a step is done is always read from the registry, git
and the cluster, so a lost journal loses no release. The journal holds what they do not know: in which step a
run was interrupted, and how long each step took.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from todo_release.core.release_folder import RELEASE_FOLDER
from todo_release.errors import JournalError

EntryStatus = Literal["started", "done", "failed"]


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One line: the new status of a step, the time, and the outcome."""

    step: str
    status: EntryStatus
    at: datetime
    seconds: float | None
    outcome: dict[str, Any]


class Journal:
    """The journal of one version in one work tree."""

    def __init__(
        self, root: Path, version: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Writes nothing before the first entry; `now` returns an aware time in UTC."""
        self.path = root / RELEASE_FOLDER / version / "journal.jsonl"
        self._now = now

    def read(self) -> list[JournalEntry]:
        """Returns all entries, oldest first, without a last line that is incomplete.

        Raises:
            JournalError: another line cannot be read.
        """
        return self._read(self.path) if self.path.is_file() else []

    def write(
        self,
        step: str,
        status: EntryStatus,
        *,
        seconds: float | None = None,
        outcome: dict[str, Any] | None = None,
    ) -> None:
        """Appends an entry and returns when it is on disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(
            {
                "step": step,
                "status": status,
                "at": self._now().isoformat(),
                "seconds": seconds,
                "outcome": outcome or {},
            }
        )
        with self.path.open("rb+" if self.path.exists() else "wb+") as file:
            file.seek(0, os.SEEK_END)
            end = file.tell()
            if end:  # the new entry must not continue a line that an earlier run left incomplete
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
                file.seek(0, os.SEEK_END)
            file.write(f"{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())

    def interrupted(self) -> list[JournalEntry]:
        """Returns the last entry of every step that was started and neither ended nor failed."""
        last_entries = {entry.step: entry for entry in self.read()}
        return [entry for entry in last_entries.values() if entry.status == "started"]

    def expected_seconds(self) -> dict[str, float]:
        """Returns how long each step took when it was last done, in any version whose journal is here."""
        paths = sorted(
            self.path.parents[1].glob(f"*/{self.path.name}"), key=lambda path: path.stat().st_mtime
        )
        return {
            entry.step: entry.seconds
            for path in paths
            for entry in self._read(path)
            if entry.status == "done" and entry.seconds
        }

    @classmethod
    def _read(cls, path: Path) -> list[JournalEntry]:
        # Every entry ends in a newline, so what follows the last newline is incomplete.
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        return [cls._parse(path, number, line) for number, line in enumerate(lines, start=1)]

    @staticmethod
    def _parse(path: Path, number: int, line: str) -> JournalEntry:
        try:
            raw = json.loads(line)
            return JournalEntry(
                raw["step"],
                raw["status"],
                datetime.fromisoformat(raw["at"]),
                raw["seconds"],
                raw["outcome"],
            )
        except (ValueError, TypeError, KeyError) as error:
            raise JournalError(
                f"Line {number} of {path} cannot be read: {error}",
                remedy="Move the file away; the release finds out by itself what is done.",
            ) from error
