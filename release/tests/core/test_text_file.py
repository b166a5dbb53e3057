"""A file that cannot be read is one clear error."""

from pathlib import Path

import pytest

from todo_release.core import text_file
from todo_release.errors import ConfigError


def test_text_is_returned(tmp_path: Path) -> None:
    """The text is read as UTF-8."""
    (tmp_path / "a.yaml").write_bytes("grün\n".encode())
    assert text_file.read(tmp_path / "a.yaml", "a.yaml") == "grün\n"


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file, a folder and bytes that are no text are told apart."""
    (tmp_path / "bytes.yaml").write_bytes(b"\xff")
    for name, problem in (
        ("missing.yaml", "There is no file missing.yaml"),
        ("bytes.yaml", "bytes.yaml cannot be read: 'utf-8' codec"),
        ("", " cannot be read: .*Is a directory"),
    ):
        with pytest.raises(ConfigError, match=problem):
            text_file.read(tmp_path / name, name)
