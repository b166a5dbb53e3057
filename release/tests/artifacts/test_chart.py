"""Edits of YAML that keep everything a person wrote."""

import pytest

from todo_release.artifacts import chart, chart_edits
from todo_release.artifacts.chart import ImageReference
from todo_release.errors import ConfigError

VALUES = """\
# Images are written by the release.
backend:   # the API
  image:
    repository: 'example/backend'   # no tag here
    tag: ""
    digest:    # empty until released
  ports: [ 8000,8001 ]

mcp:
    image: {repository: "a", tag: b, digest: ""}   # in flow style
"""
NEW = ImageReference("localhost:5000/it's/backend", "content-12", "sha256:ab")


def test_bump_values_changes_nothing_but_the_values() -> None:
    """Comments, quotes, spaces, order and flow style stay; only the scalars differ."""
    bumped = chart_edits.bump_values(VALUES, "values.yaml", {"backend.image": NEW, "mcp.image": NEW})
    assert (
        bumped
        == """\
# Images are written by the release.
backend:   # the API
  image:
    repository: 'localhost:5000/it''s/backend'   # no tag here
    tag: "content-12"
    digest: sha256:ab    # empty until released
  ports: [ 8000,8001 ]

mcp:
    image: {repository: "localhost:5000/it's/backend", tag: content-12, digest: "sha256:ab"}   # in flow style
"""
    )


def test_bump_values_twice_is_the_same_as_once() -> None:
    """What is there already is not touched."""
    once = chart_edits.bump_values(VALUES, "values.yaml", {"backend.image": NEW})
    assert chart_edits.bump_values(once, "values.yaml", {"backend.image": NEW}) == once


def test_read_image_reads_what_was_written() -> None:
    """The reference comes back as it went in."""
    bumped = chart_edits.bump_values(VALUES, "values.yaml", {"backend.image": NEW})
    assert chart.read_images(bumped, "values.yaml", {"backend": "backend.image"}) == {"backend": NEW}
    assert str(NEW) == "localhost:5000/it's/backend@sha256:ab"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_bump_chart_keeps_line_ends_and_quotes(line_end: str) -> None:
    """A version without quotes stays without; one with quotes keeps them; line ends stay."""
    text = line_end.join(["apiVersion: v2", "version: 0.1.0  # ours", 'appVersion: "0.1.0"', ""])
    expected = line_end.join(
        ["apiVersion: v2", "version: 0.2.0-rc.1  # ours", 'appVersion: "0.2.0-rc.1"', ""]
    )
    assert chart_edits.bump_chart(text, "Chart.yaml", "0.2.0-rc.1") == expected


@pytest.mark.parametrize("value", ["1e3", "0123", "yes", "12:30", "null"])
def test_values_that_yaml_would_read_as_something_else_are_quoted(value: str) -> None:
    """A digest-like tag such as 1e3 would otherwise become a number in Helm."""
    image = ImageReference("a", value, "sha256:ab")
    bumped = chart_edits.bump_values("i: {repository: a, tag: b, digest: c}", "values.yaml", {"i": image})
    assert f'tag: "{value}"' in bumped


def test_number_is_replaced_even_when_its_text_is_the_same() -> None:
    """`appVersion: 1` is a number; a release writes text."""
    assert (
        chart_edits.bump_chart("version: 1\nappVersion: 1\n", "Chart.yaml", "1")
        == 'version: "1"\nappVersion: "1"\n'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("backend: {}", "has no backend.image"),
        ("backend: {image: {repository: a, tag: b}}", "has no backend.image.digest"),
        ("backend: {image: {repository: a, tag: [], digest: c}}", "tag in values.yaml is no single value"),
        ("[]", "is not a mapping"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_bump_values_says_what_is_missing(text: str, message: str) -> None:
    """Nothing is guessed or added where a person did not prepare it."""
    with pytest.raises(ConfigError, match=message):
        chart_edits.bump_values(text, "values.yaml", {"backend.image": NEW})


@pytest.mark.parametrize(
    "text", ["version: >-\n  0.1\n  .0\nappVersion: a\n", "version: &v 0.1.0\nappVersion: *v\n"]
)
def test_value_that_cannot_be_replaced_in_place_is_refused_rather_than_broken(text: str) -> None:
    """A block over several lines and an anchor shared by two keys are noticed by the second look."""
    with pytest.raises(ConfigError, match="could not be set"):
        chart_edits.bump_chart(text, "Chart.yaml", "0.2.0")


def test_read_version_reads_the_version() -> None:
    """The chart's own version, not that of the application."""
    assert chart.read_version("version: 0.1.0\nappVersion: '9'\n", "Chart.yaml") == "0.1.0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\n", "^v.yaml:1:1: v.yaml has no i"),
        ("i:\n  tag: a\n", "^v.yaml:1:1: v.yaml has no i.repository"),
    ],
)
def test_missing_image_is_said_with_its_place_or_left_out(text: str, message: str) -> None:
    """The place is that of the nearest parent."""
    with pytest.raises(ConfigError, match=message):
        chart.read_images(text, "v.yaml", {"i": "i"})
    assert chart.known_images(text, "v.yaml", {"i": "i"}) == {}
