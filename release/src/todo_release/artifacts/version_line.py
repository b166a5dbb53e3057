"""The versions that the checked-out branch continues: all, or on a hotfix branch those that it contains."""

from semver import Version

from todo_release.adapters.git import Repository
from todo_release.artifacts import chart, versions
from todo_release.config.model import Config


def tags_of_line(repository: Repository, config: Config) -> dict[str, str]:
    """Returns the commits of the tags that count: of all, or on a hotfix branch of those that it contains."""
    if config.release_branch(repository.branch()) == config.branch:
        return repository.tags()
    return repository.tags(within="HEAD")


def released_versions(repository: Repository, config: Config) -> list[Version]:
    """Returns the released versions of the line, lowest first."""
    return versions.parse_tags(tags_of_line(repository, config), config.tag_prefix)


def check_version(repository: Repository, config: Config, version: str) -> str:
    """Checks that a version continues the line of the branch; returns its relation to the last one.

    Raises:
        VersionError: It does not, is lower than the chart's own, or is not a semantic version.
    """
    branch, wanted = config.release_branch(repository.branch()), versions.parse(version)
    others, file = versions.parse_tags(repository.tags(), config.tag_prefix), config.chart.file
    own = chart.read_version(repository.text_at(repository.head(), file), file)
    versions.check_not_below_chart(wanted, own, config.tag_prefix)
    if branch == config.branch:
        return versions.check_follows(wanted, others)
    return versions.check_follows_in_line(wanted, released_versions(repository, config), others, branch)
