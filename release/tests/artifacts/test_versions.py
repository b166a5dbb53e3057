"""Tests which versions may be released, and which ones tags name."""

import pytest

from todo_release.artifacts import versions
from todo_release.errors import VersionError


@pytest.mark.parametrize(
    ("text", "example"),
    [("1.2", "1.2.0"), ("v1.2.3", "1.2.3"), ("1.02.3", "1.2.3"), ("latest", "1.2.3"), ("", "1.2.3")],
)
def test_parse_refuses_other_text_and_shows_a_semantic_version(text: str, example: str) -> None:
    """The error repeats the text and shows a valid version that is close to it."""
    with pytest.raises(VersionError, match=f"for example {example}"):
        versions.parse(text)


def test_parse_refuses_build_metadata() -> None:
    """Build metadata is refused, because an image tag cannot contain a plus sign."""
    with pytest.raises(VersionError, match=r"Use 1\.2\.3"):
        versions.parse("1.2.3+linux")


def test_parse_tags_sorts_by_precedence_and_leaves_out_other_tags() -> None:
    """1.10 is after 1.9, a pre-release before its release; tags without the prefix are left out."""
    parsed = versions.parse_tags(["v1.10.0", "v1.9.0", "nightly", "1.0.0", "v1.10.0-rc.1", "vx"], "v")
    assert [str(version) for version in parsed] == ["1.9.0", "1.10.0-rc.1", "1.10.0"]


@pytest.mark.parametrize(
    ("version", "relation"),
    [
        ("2.0.0", "major after 1.2.3-rc.1"),
        ("1.3.0", "minor after 1.2.3-rc.1"),
        ("1.2.4", "patch after 1.2.3-rc.1"),
        ("1.2.3", "final after 1.2.3-rc.1"),
        ("1.2.3-rc.2", "pre-release after 1.2.3-rc.1"),
    ],
)
def test_check_follows_names_the_relation(version: str, relation: str) -> None:
    """The plan can say how the version relates to the last one."""
    assert versions.check_follows(versions.parse(version), [versions.parse("1.2.3-rc.1")]) == relation


def test_check_follows_accepts_any_first_version() -> None:
    """Any version may be the first release."""
    assert versions.check_follows(versions.parse("0.0.1"), []) == "the first release"


@pytest.mark.parametrize("version", ["1.2.3", "1.2.2", "1.2.3-rc.9"])
def test_check_follows_refuses_versions_that_are_not_greater(version: str) -> None:
    """An equal, lower or older pre-release version is refused with the next possible versions."""
    released = [versions.parse("1.0.0"), versions.parse("1.2.3")]
    with pytest.raises(VersionError, match=r"The next ones are 2\.0\.0, 1\.3\.0, 1\.2\.4"):
        versions.check_follows(versions.parse(version), released)


@pytest.mark.parametrize(
    ("kind", "following"),
    [("major", "2.0.0"), ("minor", "1.3.0"), ("patch", "1.2.4"), ("prerelease", "1.2.4-rc.1")],
)
def test_bump_returns_the_next_version_of_a_kind(kind: str, following: str) -> None:
    """Every kind that a person can ask for has a next version."""
    assert str(versions.bump(versions.parse("1.2.3"), kind)) == following
