"""The local journal of a version's runs."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from todo_release.errors import JournalError
from todo_release.pipeline.journal import Journal, JournalEntry

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Returns an empty journal whose clock shows noon."""
    return Journal(tmp_path, "0.1.0", lambda: NOW)


def test_entries_come_back_as_they_were_written(journal: Journal) -> None:
    """Entries are read in order, with time and outcome."""
    journal.write("build:web", "started")
    journal.write("build:web", "done", seconds=1.5, outcome={"digest": "sha256:1"})
    assert journal.read() == [
        JournalEntry("build:web", "started", NOW, None, {}),
        JournalEntry("build:web", "done", NOW, 1.5, {"digest": "sha256:1"}),
    ]


def test_empty_journal_makes_no_file(journal: Journal) -> None:
    """A journal without entries creates no file."""
    assert (journal.read(), journal.interrupted()) == ([], [])
    assert not journal.path.exists()


@pytest.mark.parametrize(
    ("status", "is_interrupted"), [("started", True), ("done", False), ("failed", False)]
)
def test_interrupted_is_the_step_without_an_end(journal: Journal, status: str, is_interrupted: bool) -> None:
    """A step is interrupted when it neither ended nor failed, also when steps ran at the same time."""
    journal.write("tag", "started")
    journal.write("deploy:staging", status)  # type: ignore[arg-type]  # from a table
    journal.write("tag", "done")
    assert [entry.step for entry in journal.interrupted()] == (["deploy:staging"] if is_interrupted else [])


def test_incomplete_last_line_is_dropped_and_the_next_one_is_complete(journal: Journal) -> None:
    """A run that is killed while it writes an entry loses that entry and no other."""
    journal.write("tag", "started")
    with journal.path.open("ab") as file:
        file.write(b'{"step": "tag", "happ')
    assert [entry.step for entry in journal.read()] == ["tag"]
    journal.write("push", "started")
    assert [entry.step for entry in journal.read()] == ["tag", "push"]


@pytest.mark.parametrize("line", ["garbage", '{"step": "x"}', "[]"])
def test_damaged_line_is_an_error_with_its_number(journal: Journal, line: str) -> None:
    """A complete line that is not an entry is an error that names the line."""
    journal.write("tag", "started")
    with journal.path.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(JournalError, match="Line 2 of"):
        journal.read()
