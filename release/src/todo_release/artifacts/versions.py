"""Semantic versions: which version may be released next, and which ones the git tags name."""

from collections.abc import Iterable

from semver import Version

from todo_release.errors import VersionError

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


def tag_of(version: Version, prefix: str) -> str:
    """Returns the git tag of a version; `prefix` is that of release.yaml."""
    return f"{prefix}{version}"


def parse_tags(tags: Iterable[str], prefix: str) -> list[Version]:
    """Returns the versions that tags name, lowest first; tags of any other form are left out."""
    versions = []
    for tag in tags:
        text = tag.removeprefix(prefix)
        if tag.startswith(prefix) and Version.is_valid(text):
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


def check_follows_in_line(
    version: Version, line: Iterable[Version], others: Iterable[Version], branch: str
) -> str:
    """Checks that a version continues the line of a hotfix branch; returns its relation, "patch after 1.2.3".

    Args:
        version: The version to release.
        line: The released versions that the branch contains.
        others: All released versions.
        branch: The name of the branch.

    Raises:
        VersionError: The version is not greater than all of its line, or not lower than the next one outside.
    """
    released = set(line)
    relation = check_follows(version, released)
    last = max(released, default=None)
    limit = min((other for other in set(others) - released if last is None or other > last), default=None)
    if limit is not None and version >= limit:
        raise VersionError(
            f"{version} is not lower than {limit}, which was released and is not part of {branch}.",
            remedy=f"Release a version between {last} and {limit}."
            if last
            else f"Release a version below {limit}.",
        )
    return f"{relation} on {branch}"


def check_not_below_chart(version: Version, chart_version: str, prefix: str) -> None:
    """Checks that a version is not lower than the one that Chart.yaml has; skips one that is not semantic.

    Raises:
        VersionError: It is lower.
    """
    if not Version.is_valid(chart_version) or version >= (own := Version.parse(chart_version)):
        return
    named = f"begin with {prefix!r}" if prefix else "are a version and nothing else"
    raise VersionError(
        f"{version} is lower than {own}, which the chart has already.",
        remedy=f"Release a version above {own}. Only tags that {named} count as versions here: if others do "
        "too, set `tag_prefix` in release.yaml.",
    )


def is_lower(version: str, running: str) -> bool:
    """Returns whether a version is lower than what runs; False when another tool named one of them."""
    if not (Version.is_valid(version) and Version.is_valid(running)):
        return False
    return Version.parse(version) < Version.parse(running)


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
