"""Semantic versions: which version may be released next, and which ones the git tags name."""

from collections.abc import Iterable

from semver import Version

from todo_release.errors import VersionError

TAG_PREFIX = "v"
BUMP_KINDS = ("major", "minor", "patch", "prerelease")


def parse(text: str) -> Version:
    """Parses a version that a person wrote; build metadata is refused because image tags cannot carry it.

    Raises:
        VersionError: Not a semantic version (semver.org), or one with build metadata.
    """
    try:
        version = Version.parse(text)
    except ValueError as error:
        raise VersionError(
            f"{text!r} is not a semantic version.", remedy=f"Write MAJOR.MINOR.PATCH, {_example(text)}."
        ) from error
    if version.build:
        raise VersionError(
            f"{text!r} carries build metadata, which an image tag cannot.",
            remedy=f"Use {version.finalize_version()}.",
        )
    return version


def tag_of(version: Version) -> str:
    """Returns the git tag of a version."""
    return f"{TAG_PREFIX}{version}"


def parse_tags(tags: Iterable[str]) -> list[Version]:
    """Returns the versions that tags name, lowest first; tags of any other form are left out."""
    versions = []
    for tag in tags:
        text = tag.removeprefix(TAG_PREFIX)
        if tag != text and Version.is_valid(text):
            versions.append(Version.parse(text))
    return sorted(versions)


def check_follows(version: Version, released: Iterable[Version]) -> str:
    """Checks that a version is greater than all released ones; returns its relation, "minor after 0.1.0".

    Raises:
        VersionError: The version is not greater than every released version.
    """
    last = max(released, default=None)
    if last is None:
        return "the first release"
    if version <= last:
        raise VersionError(
            f"{version} is not greater than {last}, the last version released.",
            remedy=f"The next ones are {', '.join(str(bump(last, kind)) for kind in BUMP_KINDS[:3])}.",
        )
    return f"{_kind(last, version)} after {last}"


def is_lower(version: str, running: str) -> bool:
    """Returns whether a version is lower than what runs; False when another tool named what runs."""
    return Version.is_valid(running) and parse(version) < Version.parse(running)


def bump(version: Version, kind: str) -> Version:
    """Returns the next version of a kind in `BUMP_KINDS`; `prerelease` counts up the rc of the next patch."""
    return version.next_version(kind, prerelease_token="rc")  # noqa: S106  # semver's word, not a secret


def _kind(last: Version, version: Version) -> str:
    if version.prerelease:
        return "pre-release"
    if version.major != last.major:
        return "major"
    if version.minor != last.minor:
        return "minor"
    return "patch" if version.patch != last.patch else "final"


def _example(text: str) -> str:
    numbers = [part for part in text.strip().lstrip("vV").split(".") if part.isdigit()]
    padded = [str(int(part)) for part in [*numbers, "0", "0", "0"][:3]]
    return f"for example {'.'.join(padded) if numbers else '1.2.3'}"
