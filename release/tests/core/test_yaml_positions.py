"""YAML with the position of each value."""

import pytest

from todo_release.core import yaml_positions
from todo_release.core.yaml_positions import Place
from todo_release.errors import ConfigError


def test_read_records_the_place_of_keys_and_items() -> None:
    """Lines and columns count from 1, as editors do."""
    document = yaml_positions.read("a:\n  - x: 1\n", "f.yaml")
    assert document.value == {"a": [{"x": 1}]}
    assert document.place(("a", 0, "x")) == Place("f.yaml", 2, 5)


def test_place_of_a_missing_key_is_that_of_its_nearest_parent() -> None:
    """A missing key is reported where it belongs."""
    assert yaml_positions.read("a:\n  b: 1\n", "f.yaml").place(("a", "c", "d")) == Place("f.yaml", 1, 1)


def test_read_of_an_empty_file_is_an_empty_mapping() -> None:
    """Errors then name the missing keys, not the empty file."""
    assert yaml_positions.read("# nothing\n", "f.yaml").value == {}


@pytest.mark.parametrize(
    ("text", "place"), [("a: [1,\nb: 2\n", "f.yaml:3:1"), ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1")]
)
def test_read_refuses_invalid_yaml_and_duplicate_keys_with_their_place(text: str, place: str) -> None:
    """PyYAML alone would silently take the second of two equal keys."""
    with pytest.raises(ConfigError, match=f"^{place}"):
        yaml_positions.read(text, "f.yaml")


def test_merge_combines_mappings_and_replaces_lists() -> None:
    """A value of the overlay replaces the one below it, together with its place."""
    base = yaml_positions.read("a: {x: 1, w: 2}\nl: [1, 2, 3]\n", "base")
    merged = yaml_positions.merge(base, yaml_positions.read("l: [9]\na: {w: 3, z: 4}\n", "over"))
    assert merged.value == {"a": {"x": 1, "w": 3, "z": 4}, "l": [9]}
    files = {path: place.file for path, place in merged.places.items()}
    assert files[("a", "x")] == "base"
    assert files[("a", "w")] == files[("a", "z")] == files[("l", 0)] == "over"
    assert ("l", 1) not in files
