"""What a local run keeps on disk."""

from pathlib import Path

from todo_local.data_folder import fresh_data, kept_data


def test_secret_is_kept_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    """The same secret is there at the next run, and no other user of the machine can read it."""
    secret = kept_data(tmp_path).auth_secret()
    assert len(secret) >= 32
    assert kept_data(tmp_path).auth_secret() == secret
    assert (tmp_path / ".cache" / "local" / "auth-secret").stat().st_mode & 0o077 == 0
    assert (tmp_path / ".cache" / "local").stat().st_mode & 0o077 == 0


def test_fresh_data_is_empty(tmp_path: Path) -> None:
    """A check sees neither what the last check left nor what a developer keeps."""
    developer, first = kept_data(tmp_path).auth_secret(), fresh_data(tmp_path)
    first.database_dir.mkdir()
    second = fresh_data(tmp_path)
    assert not second.database_dir.exists()
    assert second.auth_secret() != developer


def test_logs_of_the_last_run_are_deleted(tmp_path: Path) -> None:
    """The folder holds the lines of one run."""
    (kept_data(tmp_path).logs_dir / "backend.log").write_text("old")
    assert list(kept_data(tmp_path).logs_dir.iterdir()) == []
