"""Tests that edits of the chart's YAML keep everything that a person wrote."""

import pytest

from todo_release.artifacts import chart, chart_edits, image_values
from todo_release.artifacts.chart import ImageReference
from todo_release.config.model import Config
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


def config_of(**values: str | list[str]) -> Config:
    """Returns a release.yaml with these images, by where the values name them."""
    images = {
        name: {"dockerfile": "Dockerfile", "inputs": ["."], "values": path} for name, path in values.items()
    }
    environment = {"context": "here", "namespace": "shop", "release": "shop", "url": "http://shop.test"}
    return Config.model_validate(
        {
            "name": "shop",
            "registry": {"repository": "registry.test/shop"},
            "images": images,
            "environments": {"production": environment},
        }
    )


def set_images(text: str, image: ImageReference = NEW, **values: str | list[str]) -> str:
    """Returns a values file with an image written to all of these places."""
    images = dict.fromkeys(values, image)
    return chart_edits.set_images(text, "values.yaml", config_of(**values), images, "v0.1.0")


def test_set_images_changes_nothing_but_the_values() -> None:
    """Comments, quotes, spaces, order and flow style stay; only the scalars change."""
    edited = set_images(VALUES, backend="backend.image", mcp="mcp.image")
    assert (
        edited
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


def test_set_images_changes_nothing_the_second_time() -> None:
    """Values that are set already are not touched."""
    once = set_images(VALUES, backend="backend.image")
    assert set_images(once, backend="backend.image") == once


def test_read_images_returns_what_set_images_wrote() -> None:
    """A reference that was written is read back unchanged."""
    edited = set_images(VALUES, backend="backend.image")
    assert image_values.read_images(edited, "values.yaml", config_of(backend="backend.image")) == {
        "backend": NEW
    }
    assert str(NEW) == "localhost:5000/it's/backend@sha256:ab"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_set_version_keeps_line_ends_and_quotes(line_end: str) -> None:
    """A version without quotes stays without, one with quotes keeps them, and line ends stay."""
    text = line_end.join(["apiVersion: v2", "version: 0.1.0  # ours", 'appVersion: "0.1.0"', ""])
    expected = line_end.join(
        ["apiVersion: v2", "version: 0.2.0-rc.1  # ours", 'appVersion: "0.2.0-rc.1"', ""]
    )
    assert chart_edits.set_version(text, "Chart.yaml", "0.2.0-rc.1") == expected


@pytest.mark.parametrize("value", ["1e3", "0123", "yes", "12:30", "null"])
def test_set_images_quotes_values_that_yaml_would_not_read_as_strings(value: str) -> None:
    """A tag such as 1e3 is quoted, because Helm would read it as a number."""
    image = ImageReference("a", value, "sha256:ab")
    edited = set_images("i: {repository: a, tag: b, digest: c}", image, web="i")
    assert f'tag: "{value}"' in edited


def test_set_version_replaces_a_number_with_the_same_text() -> None:
    """A number becomes a string, even when its text is the version."""
    assert (
        chart_edits.set_version("version: 1\nappVersion: 1\n", "Chart.yaml", "1")
        == 'version: "1"\nappVersion: "1"\n'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("backend: {}", "has no backend.image"),
        ("backend: {image: {}}", "has none of registry, repository, tag, digest"),
        ("backend: {image: [a]}", "has none of registry, repository, tag, digest"),
        ("backend: {image: {repository: a}}", "hold neither a tag nor a digest"),
        ("backend: {image: {repository: a, tag: [], digest: c}}", "tag in values.yaml is not a single value"),
        ("[]", "has no backend.image"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_set_images_names_what_is_missing(text: str, message: str) -> None:
    """A key that nobody prepared is an error that names it; nothing is guessed or added."""
    with pytest.raises(ConfigError, match=message):
        set_images(text, backend="backend.image")


@pytest.mark.parametrize(
    "text", ["version: >-\n  0.1\n  .0\nappVersion: a\n", "version: &v 0.1.0\nappVersion: *v\n"]
)
def test_set_version_refuses_a_value_that_cannot_be_replaced_in_place(text: str) -> None:
    """A block of several lines and an anchor shared by two keys are refused and not broken."""
    with pytest.raises(ConfigError, match="could not be set"):
        chart_edits.set_version(text, "Chart.yaml", "0.2.0")


def test_read_version_returns_the_charts_version() -> None:
    """The version is the chart's own and not that of the application."""
    assert chart.read_version("version: 0.1.0\nappVersion: '9'\n", "Chart.yaml") == "0.1.0"


def test_missing_image_is_an_error_with_its_place_or_left_out() -> None:
    """`read_images` names the place of the nearest parent; `read_known_images` leaves the image out."""
    config = config_of(web="i.image")
    with pytest.raises(ConfigError, match=r"^v.yaml:2:1: v.yaml has no i\.image"):
        image_values.read_images("a: 1\ni:\n  tag: a\n", "v.yaml", config)
    assert image_values.read_known_images("i:\n  tag: a\n", "v.yaml", config) == {}
