"""Pushes a release, and makes its commit and tag again when the branch moved on the remote meanwhile.

The commit and the tag are this release's own until the remote has them. When somebody pushed other commits
first, they are made again on top, unless those commits change what the version is made of; then both are
taken back, so that the next run starts from a branch without them.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from todo_release.adapters import pathspec
from todo_release.adapters.git import Repository
from todo_release.artifacts import images, release_commit
from todo_release.config.model import FILE_NAME, Config
from todo_release.core.progress import ProgressCallback
from todo_release.errors import RepositoryError
from todo_release.pipeline import git_checks
from todo_release.pipeline.handlers.publish import TagHandler, WriteVersionHandler
from todo_release.pipeline.runner import StepResult
from todo_release.pipeline.steps import Push, TagCommit, WriteVersion

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry

ATTEMPTS = 3
SHORT = 12


@dataclass(frozen=True, slots=True)
class PushHandler:
    """Pushes the branch and the tag."""

    repository: Repository
    config: Config
    registry: "Registry"

    def check(self, step: Push) -> StepResult | None:
        """Returns an empty result, if the remote has the tag.

        The remote never has the tag without the branch, because one push sends both.
        """
        remote_refs, local_tags = self.repository.remote_refs(step.remote), self.repository.tags()
        return {} if remote_refs.tags.get(step.tag) == local_tags[step.tag] else None

    def do(self, step: Push, say: ProgressCallback) -> StepResult:
        """Pushes both or neither.

        Raises:
            RepositoryError: The remote refused, or the branch moved in a way that needs another release.
        """
        branch_end = commit = self.repository.tags()[step.tag]
        for _ in range(ATTEMPTS):
            try:
                self.repository.push(step.remote, step.branch, step.tag, branch_end)
            except RepositoryError as refusal:
                if self._is_pushed(step, commit):
                    break  # only the answer was lost
                head = self.repository.fetch_branch(step.remote, step.branch)
                if self.repository.is_ancestor(head, commit):
                    raise refusal from None  # the branch did not move: the remote has another reason
                if self.repository.is_ancestor(commit, head):
                    branch_end = head
                else:
                    branch_end = commit = self._make_again(step, commit, head, say)
            else:
                break
        else:
            raise RepositoryError(
                f"{step.branch} moved on {step.remote} in each of {ATTEMPTS} attempts to push {step.tag}.",
                remedy="Run the same command again; it continues with the push.",
            )
        say(f"{step.remote} has {step.tag}", is_note=True)
        return {"commit": commit}

    def _is_pushed(self, step: Push, commit: str) -> bool:
        """Returns whether the remote has the tag.

        Raises:
            RepositoryError: It has the tag on another commit.
        """
        theirs = self.repository.remote_refs(step.remote).tags.get(step.tag)
        if theirs in {None, commit}:
            return theirs == commit
        self._take_back(step, commit)
        raise RepositoryError(
            f"Somebody else released {step.tag}: {step.remote} has it at {theirs}. "
            "The commit and the tag that were made here are taken back.",
            remedy=f"Run `git pull --tags {step.remote} {step.branch}`, then the same command again.",
        )

    def _make_again(self, step: Push, commit: str, head: str, say: ProgressCallback) -> str:
        """Makes the release commit and the tag again on the remote's head, and returns the commit.

        Raises:
            RepositoryError: The remote's new commits change the version, or there are other commits here.
        """
        base, place = self._base(step, commit), f"{step.branch} on {step.remote}"
        if not self.repository.is_ancestor(base, head) or not self._is_checked_out(step, commit):
            self._take_back(step, commit)
            raise RepositoryError(
                f"{place} has commits that are not here, and here are commits that it does not have. "
                f"The tag {step.tag} is taken back.",
                remedy=f"Run `git pull --rebase {step.remote} {step.branch}`, then the same command again.",
            )
        if changed := self._changed_content(base, head):
            self._take_back(step, commit)
            raise RepositoryError(
                f"{place} moved during the release and changes what {step.tag} is made of: "
                f"{git_checks.summarize(changed)}. The release commit and the tag are taken back.",
                remedy=f"Run `git pull {step.remote} {step.branch}`, then the same command again.",
            )
        say(f"{place} moved to {head[:SHORT]}; making the release commit again on top", is_note=True)
        self.repository.delete_tag(step.tag)  # first: a tag outside of the branch would stop the next run
        self.repository.move_branch(head)
        version = self._version(step)
        write = WriteVersion(version=version, files=(), reason="the branch moved")
        writer = WriteVersionHandler(self.repository, self.config, self.registry)
        if writer.check(write) is None:
            writer.do(write, say)
        tag = TagCommit(tag=step.tag, reason="the branch moved")
        return str(TagHandler(self.repository, self.config).do(tag, say)["commit"])

    def _take_back(self, step: Push, commit: str) -> None:
        """Deletes the tag, and the release commit if nothing was committed on top of it."""
        self.repository.delete_tag(step.tag)
        if self._is_checked_out(step, commit):
            # Changes in the work tree may be in the way; without its tag, the commit may stay in the branch.
            with contextlib.suppress(RepositoryError):
                self.repository.move_branch(self._base(step, commit))

    def _is_checked_out(self, step: Push, commit: str) -> bool:
        return self.repository.head() == commit and self.repository.branch() == step.branch

    def _base(self, step: Push, commit: str) -> str:
        """Returns the commit that was released: the parent of the release commit, if there is such a one."""
        parents, version = self.repository.parents(commit), self._version(step)
        if len(parents) != 1:
            return commit
        changed = self.repository.changed_between(parents[0], commit, [""])
        is_ours = self.repository.subjects(parents[0], commit) == (
            release_commit.message(version),
        ) and changed == pathspec.select(changed, release_commit.written_paths(self.config, version))
        return parents[0] if is_ours else commit

    def _changed_content(self, base: str, head: str) -> tuple[str, ...]:
        """Returns the paths that differ between two commits and decide what a version is or how it runs."""
        changed = self.repository.changed_between(base, head, [""])
        chart, environments = self.config.chart, self.config.environments.values()
        values = (path for environment in environments for path in environment.values)
        tracked = [path for path in values if not Path(path).is_absolute()]
        inputs = (images.select_changed(changed, image) for image in self.config.images.values())
        deployed = pathspec.select(changed, [chart.path, chart.values, FILE_NAME, *tracked])
        return tuple(sorted({*deployed, *(path for paths in inputs for path in paths)}))

    def _version(self, step: Push) -> str:
        return step.tag.removeprefix(self.config.tag_prefix)
