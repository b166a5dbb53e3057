"""The step that tells the world: the release page of a version, made when every environment runs it."""

from dataclasses import dataclass

from todo_release.adapters.git import Repository
from todo_release.adapters.github import GitHub
from todo_release.artifacts import release_commit, versions
from todo_release.config.model import Config
from todo_release.core.progress import Say
from todo_release.pipeline.runner import StepResult
from todo_release.pipeline.steps import Announce


@dataclass(frozen=True, slots=True)
class AnnounceHandler:
    """Makes the GitHub release of a version from its changelog."""

    repository: Repository
    config: Config
    github: GitHub

    def check(self, step: Announce) -> StepResult | None:
        """Done when the tag has a release."""
        address = self.github.release(step.tag)
        return None if address is None else {"url": address}

    def do(self, step: Announce, say: Say) -> StepResult:
        """Make it."""
        version = versions.parse(step.tag.removeprefix(versions.TAG_PREFIX))
        address = self.github.create(
            step.tag,
            f"{self.config.name} {version}",
            release_commit.notes_at(
                self.repository, self.config, self.repository.tags()[step.tag], str(version)
            ),
            is_prerelease=version.prerelease is not None,
        )
        say(address, is_note=True)
        return {"url": address}
