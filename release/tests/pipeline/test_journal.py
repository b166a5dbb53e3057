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


OTHER_LINES = [
    "garbage",
    '{"step": "x"}',
    "[]",
    "null",
    '{"step": "tag", "happening": "started", "at": "2026-11-24T12:00:00+00:00"}',
    '{"step": 5, "status": "done", "at": "2026-11-24T12:00:00+00:00", "seconds": "1", "outcome": {}}',
]


@pytest.mark.parametrize("line", OTHER_LINES)
def test_line_that_is_no_entry_is_skipped_with_one_note(tmp_path: Path, line: str) -> None:
    """Damage, and the form of an earlier engine, cost what they say and no release; a note names the line."""
    notes: list[str] = []
    journal = Journal(tmp_path, "0.1.0", lambda: NOW, on_note=notes.append)
    journal.write("tag", "started")
    with journal.path.open("a") as file:
        file.write(f"{line}\n")
    journal.write("tag", "done", seconds=1.0)
    assert [entry.status for entry in journal.read()] == ["started", "done"]
    assert journal.interrupted() == []
    assert journal.expected_seconds() == {"tag": 1.0}
    assert notes == [f"{journal.path} is not read as a whole: line 2 is not an entry of this engine"]


def test_journal_that_is_no_text_is_skipped(tmp_path: Path) -> None:
    """Bytes that are not UTF-8, a folder of that name and a link to nothing are all survived."""
    notes: list[str] = []
    for version in ("0.1.0", "0.2.0", "0.3.0"):
        (tmp_path / ".release" / version).mkdir(parents=True)
    (tmp_path / ".release/0.1.0/journal.jsonl").write_bytes(b"\xff\xfe\x00\n")
    (tmp_path / ".release/0.2.0/journal.jsonl").mkdir()
    (tmp_path / ".release/0.3.0/journal.jsonl").symlink_to("nowhere")
    journal = Journal(tmp_path, "0.4.0", on_note=notes.append)
    assert journal.expected_seconds() == {}
    assert len(notes) == 2


def test_journal_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The error names the file and what to do."""
    (tmp_path / ".release").write_text("a file where the folder should be")
    with pytest.raises(JournalError, match=r"\.release/0\.1\.0/journal\.jsonl cannot be written"):
        Journal(tmp_path, "0.1.0").write("tag", "started")
