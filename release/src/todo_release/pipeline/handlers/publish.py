"""The steps that publish a version: release commit, tag, names of the images, push."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from todo_release.adapters.git import Repository
from todo_release.artifacts import images, release_commit
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.images import committed_images
from todo_release.artifacts.release_commit import Edits
from todo_release.artifacts.versions import TAG_PREFIX
from todo_release.config.model import Config
from todo_release.core.progress import Say
from todo_release.errors import DeclinedError, RegistryError, RepositoryError
from todo_release.pipeline.runner import StepResult
from todo_release.pipeline.steps import Confirm, NameImages, Push, TagCommit, WriteVersion

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
        """Done when the commit that is checked out needs no edit any more."""
        return None if self._edits(step) else {"commit": self.repository.head()}

    def do(self, step: WriteVersion, say: Say) -> StepResult:
        """Make the edits and commit exactly these."""
        changes = self._edits(step)
        release_commit.apply(self.repository.root, changes)
        say(", ".join(changes), is_note=True)
        return {"commit": self.repository.commit(tuple(changes), f"release: {step.version}.")}

    def _edits(self, step: WriteVersion) -> Edits:
        references = images.references(self.repository, self.config, self.registry)
        if references is None:
            raise RegistryError(
                "An image is no longer in the registry under its content tag.",
                remedy="Start the release again.",
            )
        return release_commit.edits(self.repository, self.config, step.version, references)


@dataclass(frozen=True, slots=True)
class TagHandler:
    """Makes the tag on the commit that is checked out; its message is what the changelog says of the
    version.
    """

    repository: Repository
    config: Config

    def check(self, step: TagCommit) -> StepResult | None:
        """Done when the tag is there; it must then be on this commit.

        Raises:
            RepositoryError: it is on another one.
        """
        head, tagged = self.repository.head(), self.repository.tags().get(step.tag)
        if tagged not in {None, head}:
            raise RepositoryError(
                f"The tag {step.tag} appeared on {tagged} while the release was running.",
                remedy="Somebody else is releasing; look at their release first.",
            )
        return None if tagged is None else {"commit": tagged}

    def do(self, step: TagCommit, say: Say) -> StepResult:
        """Make it."""
        head = self.repository.head()
        self.repository.tag(step.tag, head, self._message(head, step.tag))
        say(f"{step.tag} is {head[:SHORT]}", is_note=True)
        return {"commit": head}

    def _message(self, head: str, tag: str) -> str:
        title = f"{self.config.name} {tag}"
        notes = release_commit.notes_at(self.repository, self.config, head, tag.removeprefix(TAG_PREFIX))
        return f"{title}\n\n{notes}" if notes else title


@dataclass(frozen=True, slots=True)
class NameImagesHandler:
    """Gives every image of the version the tags of the version and of its commit."""

    repository: Repository
    config: Config
    registry: "Registry"

    def check(self, step: NameImages) -> StepResult | None:
        """Done when every image has both.

        Raises:
            RegistryError: the version's tag is another image.
        """
        missing = 0
        for name, image, tags in self._wanted(step):
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

    def do(self, step: NameImages, say: Say) -> StepResult:
        """Write each tag as a second name of the manifest that is there; nothing is pulled or pushed."""
        for name, image, tags in self._wanted(step):
            for tag in tags:
                self.registry.tag(self.config.registry.path(name), image.digest, tag)
            say(f"{name}: {', '.join(tags)}", is_note=True)
        return {}

    def _wanted(self, step: NameImages) -> list[tuple[str, ImageReference, tuple[str, str]]]:
        commit = self.repository.tags()[step.tag]
        tags = (step.tag, f"sha-{commit[:SHORT]}")
        return [
            (name, image, tags)
            for name, image in committed_images(self.repository, self.config, commit).items()
        ]


@dataclass(frozen=True, slots=True)
class PushHandler:
    """Pushes the branch and the tag."""

    repository: Repository

    def check(self, step: Push) -> StepResult | None:
        """Done when the remote has the tag: it never has the tag without the branch, as both go in one
        push.
        """
        remote, here = self.repository.remote_refs(step.remote), self.repository.tags()
        return {} if remote.tags.get(step.tag) == here[step.tag] else None

    def do(self, step: Push, say: Say) -> StepResult:
        """Push both or neither."""
        self.repository.push(step.remote, step.branch, step.tag)
        say(f"{step.remote} has {step.tag}", is_note=True)
        return {}


@dataclass(frozen=True, slots=True)
class ConfirmHandler:
    """Asks a person; `ask` answers a yes-or-no question."""

    ask: Callable[[str], bool]

    def check(self, step: Confirm) -> StepResult | None:
        """Never done before it is asked; having agreed to an earlier run is no agreement to this one."""
        return None

    def do(self, step: Confirm, say: Say) -> StepResult:
        """Ask.

        Raises:
            DeclinedError: the answer is no.
        """
        if not self.ask(f"Deploy {step.version} to {step.environment}?"):
            raise DeclinedError(
                f"{step.version} is not deployed to {step.environment}: nobody agreed.",
                remedy="Run the same command again to go on from here; `--yes` agrees beforehand.",
            )
        return {}
