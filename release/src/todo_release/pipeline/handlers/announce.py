"""Creates the release page of a version on GitHub, once every environment runs the version."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from todo_release.adapters.git import Repository
from todo_release.artifacts import release_commit, versions
from todo_release.config.model import Config
from todo_release.core.progress import ProgressCallback
from todo_release.pipeline.runner import StepResult
from todo_release.pipeline.steps import Announce

if TYPE_CHECKING:
    from todo_release.adapters.github import GitHub


@dataclass(frozen=True, slots=True)
class AnnounceHandler:
    """Creates the GitHub release of a version from its changelog."""

    repository: Repository
    config: Config
    github: "GitHub"

    def check(self, step: Announce) -> StepResult | None:
        """Returns the URL of the release that the tag has already, if any."""
        url = self.github.release(step.tag)
        return None if url is None else {"url": url}

    def do(self, step: Announce, say: ProgressCallback) -> StepResult:
        """Creates the release and returns its URL."""
        version = versions.parse(step.tag.removeprefix(self.config.tag_prefix))
        url = self.github.create(
            step.tag,
            f"{self.config.name} {version}",
            release_commit.read_notes(
                self.repository, self.config, self.repository.tags()[step.tag], str(version)
            ),
            is_prerelease=version.prerelease is not None,
            is_latest=step.is_latest,
        )
        say(url, is_note=True)
        return {"url": url}
