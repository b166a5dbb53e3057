"""Checks whether git is ready for the release of a version: its number, the branch, the work tree. Pure."""

from collections.abc import Sequence

from todo_release.artifacts import versions
from todo_release.errors import RepositoryError, VersionError
from todo_release.pipeline.facts import GitFacts, ReleaseFacts

NAMED_FILES = 3


def check_version(facts: ReleaseFacts, version: str) -> str:
    """Checks that a version may be released next; returns what is right about it.

    Raises:
        VersionError: It may not.
    """
    git = facts.git
    if git.remote_tag_commit is not None:
        raise VersionError(
            f"{version} is tagged on {git.remote} but not here.",
            remedy=f"Run `git fetch --tags {git.remote}`, and if that does not suffice "
            f"`git pull {git.remote} {git.release_branch}`.",
        )
    wanted, released = versions.parse(version), [versions.parse(text) for text in git.released]
    if git.in_line is None:
        relation = versions.check_follows(wanted, released)
    else:
        line = [versions.parse(text) for text in git.in_line]
        relation = versions.check_follows_in_line(wanted, line, released, git.release_branch)
    versions.check_not_below_chart(wanted, facts.chart.version, git.tag_prefix)
    return f"{version} is {relation}"


def check_tree(facts: ReleaseFacts, version: str) -> str:
    """Checks that the work tree is what a release may be made from; returns what is right about it.

    Raises:
        RepositoryError: It is not.
    """
    git = facts.git
    if git.is_shallow:
        raise RepositoryError(
            "This clone has no full history, so earlier versions are unknown.",
            remedy="Run `git fetch --unshallow --tags`; in GitHub Actions set fetch-depth: 0.",
        )
    if git.branch != git.release_branch:
        raise wrong_branch(git)
    if git.unexpected:
        raise RepositoryError(
            f"The work tree has changes that are not committed: {summarize(git.unexpected)}.",
            remedy="Commit or remove them; a release is made from a commit.",
        )
    if git.is_behind_remote:
        raise RepositoryError(
            f"{git.branch} lacks commits that {git.remote} has.",
            remedy=f"Run `git pull {git.remote} {git.branch}`.",
        )
    return f"the work tree is clean, on {git.branch} at {git.head[:12]}"


def wrong_branch(git: GitFacts) -> RepositoryError:
    """Returns the error when another branch is checked out than releases are made from."""
    return RepositoryError(
        f"Releases are made from {git.release_branch}, but {git.branch or 'no branch'} is checked out.",
        remedy=f"Run `git switch {git.release_branch}`.",
    )


def content_changed(git: GitFacts, version: str, tag: str) -> VersionError:
    """Returns the error when the work tree differs from the version's tag in what a version is made of."""
    if not git.is_pushed and git.remote_tag_commit is None:
        return VersionError(
            f"{tag} was never pushed, and what it is made of has changed since: {summarize(git.changed)}.",
            remedy=f"Run `git tag --delete {tag}`, then release {version} again from here.",
        )
    released = git.released if git.in_line is None else git.in_line
    following = versions.bump(max(map(versions.parse, (version, *released))), "patch")
    return VersionError(
        f"{version} is released already, and what it is made of has changed since: {summarize(git.changed)}.",
        remedy=f"Release the change as {following}, or check out {tag} to repeat {version}.",
    )


def summarize(paths: Sequence[str]) -> str:
    """Returns the first paths, and how many more there are."""
    more = f" and {len(paths) - NAMED_FILES} more" if len(paths) > NAMED_FILES else ""
    return ", ".join(paths[:NAMED_FILES]) + more
