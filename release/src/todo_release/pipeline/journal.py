"""The local journal of a version's runs: one JSON line for each change of a step.

A line is on disk before the next step begins. Whether a step is done is always read from the registry, git
and the cluster, so a lost journal loses no release. The journal holds what they do not know: in which step a
run was interrupted, and how long each step took. So what cannot be read, such as a journal of another
engine, is skipped with a note.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from todo_release.core import release_folder
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
        self,
        root: Path,
        version: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        on_note: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Writes nothing before the first entry; `now` returns an aware time in UTC.

        `on_note` gets a sentence about each file that is not read as a whole.
        """
        self.path = root / RELEASE_FOLDER / version / "journal.jsonl"
        self._now = now
        self._on_note = on_note
        self._told: set[Path] = set()

    def read(self) -> list[JournalEntry]:
        """Returns all entries, oldest first, without lines that are incomplete or cannot be read."""
        return self._read(self.path) if self.path.exists() else []

    def write(
        self,
        step: str,
        status: EntryStatus,
        *,
        seconds: float | None = None,
        outcome: dict[str, Any] | None = None,
    ) -> None:
        """Appends an entry and returns when it is on disk.

        Raises:
            JournalError: The file cannot be written.
        """
        line = json.dumps(
            {
                "step": step,
                "status": status,
                "at": self._now().isoformat(),
                "seconds": seconds,
                "outcome": outcome or {},
            }
        )
        try:
            release_folder.create(self.path.parent)
            self._append(line)
        except OSError as error:
            raise JournalError(
                f"The journal {self.path} cannot be written: {error.strerror}.",
                remedy=f"Make {self.path.parent} writable, then run the same command again.",
            ) from error

    def _append(self, line: str) -> None:
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
        paths = sorted(self.path.parents[1].glob(f"*/{self.path.name}"), key=_changed_at)
        return {
            entry.step: entry.seconds
            for path in paths
            for entry in self._read(path)
            if entry.status == "done" and entry.seconds
        }

    def _read(self, path: Path) -> list[JournalEntry]:
        try:
            # Every entry ends in a newline, so what follows the last newline is incomplete.
            lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        except OSError as error:
            self._note(path, f"{path} cannot be read and is skipped: {error.strerror}")
            return []
        entries = [_parse(line) for line in lines]
        if None in entries:
            number = entries.index(None) + 1
            self._note(path, f"{path} is not read as a whole: line {number} is not an entry of this engine")
        return [entry for entry in entries if entry is not None]

    def _note(self, path: Path, text: str) -> None:
        if path not in self._told:
            self._told.add(path)
            self._on_note(text)


def _parse(line: str) -> JournalEntry | None:
    """Returns the entry in a line; None when it is none, or has the form of an earlier engine."""
    try:
        raw = json.loads(line)
        entry = JournalEntry(
            raw["step"], raw["status"], datetime.fromisoformat(raw["at"]), raw["seconds"], raw["outcome"]
        )
    except (ValueError, TypeError, KeyError):
        return None
    is_entry = (
        isinstance(entry.step, str)
        and entry.status in get_args(EntryStatus)
        and isinstance(entry.seconds, int | float | None)
        and isinstance(entry.outcome, dict)
    )
    return entry if is_entry else None


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # removed meanwhile, or a link to nothing
        return 0.0
