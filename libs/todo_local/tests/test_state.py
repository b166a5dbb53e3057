"""What a local run keeps."""

from pathlib import Path

from todo_local.state import fresh_state, kept_state


def test_secret_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    """The same secret is there at the next run, and no other user of the machine can read it."""
    secret = kept_state(tmp_path).auth_secret()
    assert len(secret) >= 32
    assert kept_state(tmp_path).auth_secret() == secret
    assert (tmp_path / ".cache" / "local" / "auth-secret").stat().st_mode & 0o077 == 0
    assert (tmp_path / ".cache" / "local").stat().st_mode & 0o077 == 0


def test_fresh_state_begins_with_nothing(tmp_path: Path) -> None:
    """A check does not see what the last one left, nor what a developer keeps."""
    developer, first = kept_state(tmp_path).auth_secret(), fresh_state(tmp_path)
    first.database_dir.mkdir()
    second = fresh_state(tmp_path)
    assert not second.database_dir.exists()
    assert second.auth_secret() != developer


def test_logs_begin_anew(tmp_path: Path) -> None:
    """The folder holds the lines of one run."""
    (kept_state(tmp_path).logs_dir / "backend.log").write_text("old")
    assert list(kept_state(tmp_path).logs_dir.iterdir()) == []
