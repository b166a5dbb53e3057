"""Which versions may be released, and what tags say."""

import pytest

from todo_release.artifacts import versions
from todo_release.errors import VersionError


@pytest.mark.parametrize(
    ("text", "guess"),
    [("1.2", "1.2.0"), ("v1.2.3", "1.2.3"), ("1.02.3", "1.2.3"), ("latest", "1.2.3"), ("", "1.2.3")],
)
def test_parse_refuses_what_is_no_semantic_version_and_shows_one(text: str, guess: str) -> None:
    """The message repeats what was written and shows how a version looks."""
    with pytest.raises(VersionError, match=f"for example {guess}"):
        versions.parse(text)


def test_parse_refuses_build_metadata() -> None:
    """A plus sign cannot stand in an image tag."""
    with pytest.raises(VersionError, match=r"Use 1\.2\.3"):
        versions.parse("1.2.3+linux")


def test_of_tags_sorts_by_precedence_and_leaves_out_other_tags() -> None:
    """1.10 is after 1.9, a pre-release before its release; `nightly` and `1.0.0` without v are no
    versions.
    """
    found = versions.of_tags(["v1.10.0", "v1.9.0", "nightly", "1.0.0", "v1.10.0-rc.1", "vx"])
    assert [str(version) for version in found] == ["1.9.0", "1.10.0-rc.1", "1.10.0"]


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
    """The plan tells a person what kind of step the version is."""
    assert versions.check_follows(versions.parse(version), [versions.parse("1.2.3-rc.1")]) == relation


def test_check_follows_accepts_any_first_version() -> None:
    """Nothing was released, so nothing can be greater."""
    assert versions.check_follows(versions.parse("0.0.1"), []) == "the first release"


@pytest.mark.parametrize("version", ["1.2.3", "1.2.2", "1.2.3-rc.9"])
def test_check_follows_refuses_versions_that_are_not_greater(version: str) -> None:
    """Equal, lower, and pre-releases of what is out are refused with the next possible versions."""
    released = [versions.parse("1.0.0"), versions.parse("1.2.3")]
    with pytest.raises(VersionError, match=r"The next ones are 2\.0\.0, 1\.3\.0, 1\.2\.4"):
        versions.check_follows(versions.parse(version), released)


@pytest.mark.parametrize(
    ("kind", "following"),
    [("major", "2.0.0"), ("minor", "1.3.0"), ("patch", "1.2.4"), ("prerelease", "1.2.4-rc.1")],
)
def test_bump_gives_the_next_of_a_kind(kind: str, following: str) -> None:
    """Every kind a person can ask for."""
    assert str(versions.bump(versions.parse("1.2.3"), kind)) == following
