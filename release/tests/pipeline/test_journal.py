"""The local diary."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from todo_release.errors import JournalError
from todo_release.pipeline.journal import Entry, Journal

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """An empty one, at noon."""
    return Journal(tmp_path, "0.1.0", lambda: NOW)


def test_entries_come_back_as_they_were_written(journal: Journal) -> None:
    """In order, with time and outcome."""
    journal.write("build:web", "started")
    journal.write("build:web", "done", seconds=1.5, outcome={"digest": "sha256:1"})
    assert journal.read() == [
        Entry("build:web", "started", NOW, None, {}),
        Entry("build:web", "done", NOW, 1.5, {"digest": "sha256:1"}),
    ]


def test_empty_journal_makes_no_file(journal: Journal) -> None:
    """A run that does nothing writes nothing."""
    assert (journal.read(), journal.interrupted()) == ([], [])
    assert not journal.path.exists()


@pytest.mark.parametrize(("happening", "is_cut_off"), [("started", True), ("done", False), ("failed", False)])
def test_interrupted_is_the_step_without_an_end(journal: Journal, happening: str, is_cut_off: bool) -> None:
    """A step that failed did end; several may have run at the same time."""
    journal.write("tag", "started")
    journal.write("deploy:staging", happening)  # type: ignore[arg-type]  # from a table
    journal.write("tag", "done")
    assert [entry.step for entry in journal.interrupted()] == (["deploy:staging"] if is_cut_off else [])


def test_line_cut_off_by_a_kill_is_forgotten_and_the_next_one_is_whole(journal: Journal) -> None:
    """A power cut in the middle of a write costs that entry and no other."""
    journal.write("tag", "started")
    with journal.path.open("ab") as file:
        file.write(b'{"step": "tag", "happ')
    assert [entry.step for entry in journal.read()] == ["tag"]
    journal.write("push", "started")
    assert [entry.step for entry in journal.read()] == ["tag", "push"]


@pytest.mark.parametrize("line", ["garbage", '{"step": "x"}', "[]"])
def test_damaged_line_is_an_error_with_its_number(journal: Journal, line: str) -> None:
    """A line that is whole but not ours means that somebody edited the file."""
    journal.write("tag", "started")
    with journal.path.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(JournalError, match="Line 2 of"):
        journal.read()
