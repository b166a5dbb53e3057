"""Publishes a version: release commit, tag, tags of the images, push; and asks for confirmation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from todo_release.adapters.git import Repository
from todo_release.artifacts import images, release_commit
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.images import read_committed_images
from todo_release.artifacts.release_commit import FileEdits
from todo_release.artifacts.versions import TAG_PREFIX
from todo_release.config.model import Config
from todo_release.core.progress import ProgressCallback
from todo_release.errors import DeclinedError, RegistryError, RepositoryError
from todo_release.pipeline.runner import StepResult
from todo_release.pipeline.steps import Confirm, Push, TagCommit, TagImages, WriteVersion

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry

SHORT = 12


@dataclass(frozen=True, slots=True)
class WriteVersionHandler:
    """Edits the chart's files and commits them."""

    repository: Repository
    config: Config
    registry: "Registry"

    def check(self, step: WriteVersion) -> StepResult | None:
        """Returns the commit that is checked out, if it needs no edit any more."""
        return None if self._edits(step) else {"commit": self.repository.head()}

    def do(self, step: WriteVersion, say: ProgressCallback) -> StepResult:
        """Edits the files and commits exactly those."""
        changes = self._edits(step)
        release_commit.apply_edits(self.repository.root, changes)
        say(", ".join(changes), is_note=True)
        return {"commit": self.repository.commit(tuple(changes), f"release: {step.version}.")}

    def _edits(self, step: WriteVersion) -> FileEdits:
        references = images.find_image_references(self.repository, self.config, self.registry)
        if references is None:
            raise RegistryError(
                "An image is no longer in the registry under its content tag.",
                remedy="Start the release again.",
            )
        return release_commit.compute_edits(self.repository, self.config, step.version, references)


@dataclass(frozen=True, slots=True)
class TagHandler:
    """Tags the commit that is checked out; the message is the changelog section of the version."""

    repository: Repository
    config: Config

    def check(self, step: TagCommit) -> StepResult | None:
        """Returns the commit, if it is tagged already.

        Raises:
            RepositoryError: the tag is on another commit.
        """
        head, tagged = self.repository.head(), self.repository.tags().get(step.tag)
        if tagged not in {None, head}:
            raise RepositoryError(
                f"The tag {step.tag} appeared on {tagged} while the release was running.",
                remedy="Somebody else is releasing: compare the commits with `git log`, then start again.",
            )
        return None if tagged is None else {"commit": tagged}

    def do(self, step: TagCommit, say: ProgressCallback) -> StepResult:
        """Creates the tag."""
        head = self.repository.head()
        self.repository.tag(step.tag, head, self._message(head, step.tag))
        say(f"{step.tag} is {head[:SHORT]}", is_note=True)
        return {"commit": head}

    def _message(self, head: str, tag: str) -> str:
        title = f"{self.config.name} {tag}"
        notes = release_commit.read_notes(self.repository, self.config, head, tag.removeprefix(TAG_PREFIX))
        return f"{title}\n\n{notes}" if notes else title


@dataclass(frozen=True, slots=True)
class TagImagesHandler:
    """Tags every image of the version with the version and with its commit."""

    repository: Repository
    config: Config
    registry: "Registry"

    def check(self, step: TagImages) -> StepResult | None:
        """Returns an empty result, if every image has both tags.

        Raises:
            RegistryError: one of the tags belongs to another image.
        """
        missing = 0
        for name, image, tags in self._wanted_tags(step):
            for tag in tags:
                digest = self.registry.digest(self.config.registry.path(name), tag)
                if digest not in {None, image.digest}:
                    raise RegistryError(
                        f"{image.repository}:{tag} is {digest}, not {image.digest}.",
                        remedy="Somebody else releases this version, or did: run `git fetch --tags`. "
                        "If nobody did, delete that tag in the registry.",
                    )
                missing += digest is None
        return None if missing else {}

    def do(self, step: TagImages, say: ProgressCallback) -> StepResult:
        """Adds each tag to the manifest that the registry has; no image is pulled or pushed."""
        for name, image, tags in self._wanted_tags(step):
            for tag in tags:
                self.registry.tag(self.config.registry.path(name), image.digest, tag)
            say(f"{name}: {', '.join(tags)}", is_note=True)
        return {}

    def _wanted_tags(self, step: TagImages) -> list[tuple[str, ImageReference, tuple[str, str]]]:
        commit = self.repository.tags()[step.tag]
        tags = (step.tag, f"sha-{commit[:SHORT]}")
        return [
            (name, image, tags)
            for name, image in read_committed_images(self.repository, self.config, commit).items()
        ]


@dataclass(frozen=True, slots=True)
class PushHandler:
    """Pushes the branch and the tag."""

    repository: Repository

    def check(self, step: Push) -> StepResult | None:
        """Returns an empty result, if the remote has the tag.

        The remote never has the tag without the branch, because one push sends both.
        """
        remote_refs, local_tags = self.repository.remote_refs(step.remote), self.repository.tags()
        return {} if remote_refs.tags.get(step.tag) == local_tags[step.tag] else None

    def do(self, step: Push, say: ProgressCallback) -> StepResult:
        """Pushes both or neither."""
        self.repository.push(step.remote, step.branch, step.tag)
        say(f"{step.remote} has {step.tag}", is_note=True)
        return {}


@dataclass(frozen=True, slots=True)
class ConfirmHandler:
    """Asks a person; `ask` answers a yes-or-no question."""

    ask: Callable[[str], bool]

    def check(self, step: Confirm) -> StepResult | None:
        """Returns None: agreement to an earlier run is not agreement to this one."""
        return None

    def do(self, step: Confirm, say: ProgressCallback) -> StepResult:
        """Asks, and returns when the answer is yes.

        Raises:
            DeclinedError: the answer is no.
        """
        if not self.ask(f"Deploy {step.version} to {step.environment}?"):
            raise DeclinedError(
                f"{step.version} is not deployed to {step.environment}: nobody agreed.",
                remedy="Run the same command again to go on from here; `--yes` agrees beforehand.",
            )
        return {}
