"""Which of PostgreSQL's programs are used."""

import stat
from pathlib import Path

import pytest

from todo_cluster.backup import postgres_tools
from todo_cluster.backup.postgres_tools import find_tools
from todo_cluster.errors import BackupError


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with programs of version 15, the only ones that are installed."""
    for name in ("pg_dump", "pg_restore"):
        program = tmp_path / name
        program.write_text('#!/bin/sh\necho "pg_dump (PostgreSQL) 15.14 (Debian 15.14-0)"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(postgres_tools, "DEBIAN_FOLDERS", tmp_path / "none")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_installed_programs_are_used_when_they_are_new_enough(installed: Path) -> None:
    """A server of the same major version is fine."""
    tools = find_tools(15)
    assert (tools.folder, tools.major) == (installed, 15)


def test_pinned_programs_are_used_for_a_newer_server(installed: Path) -> None:
    """An older pg_dump refuses a newer server."""
    assert find_tools(17).major == 18


def test_server_newer_than_all_programs_is_refused(installed: Path) -> None:
    """The remedy names the package."""
    with pytest.raises(BackupError, match="PostgreSQL 19") as caught:
        find_tools(19)
    assert "postgresql-client-19" in caught.value.remedy
