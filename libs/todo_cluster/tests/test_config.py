"""cluster.yaml: one message with file, line and column for every mistake."""

from pathlib import Path

import pytest

from todo_cluster.config.loader import load
from todo_release.errors import ConfigError

ROOT = Path(__file__).parents[3]


def test_unknown_key_is_reported_with_its_place(tmp_path: Path) -> None:
    """The message begins with a place that an editor can open."""
    (tmp_path / "cluster.yaml").write_text("colour: blue\n")
    with pytest.raises(ConfigError, match=r"^cluster\.yaml:1:1: The key 'colour' is not known\."):
        load(tmp_path)


def test_missing_file_is_reported(tmp_path: Path) -> None:
    """A folder without cluster.yaml is an error that names the file."""
    with pytest.raises(ConfigError, match=r"There is no file cluster\.yaml"):
        load(tmp_path)


def test_mistake_in_an_overlay_names_the_overlay(tmp_path: Path) -> None:
    """Each value keeps the place of the file that it comes from."""
    (tmp_path / "cluster.yaml").write_text("{}\n")
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("\ncolour: blue\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml:2:1: The key 'colour'"):
        load(tmp_path, [overlay])
