"""Publishes a version: release commit, tag, tags of the images; and asks for confirmation."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from todo_release.adapters.git import Repository
from todo_release.artifacts import images, release_commit
from todo_release.artifacts.images import resolve_committed_images
from todo_release.artifacts.release_commit import FileEdits
from todo_release.config.model import Config
from todo_release.core.progress import ProgressCallback
from todo_release.errors import DeclinedError, RegistryError, RepositoryError
from todo_release.pipeline.runner import StepResult
from todo_release.pipeline.steps import Confirm, TagCommit, TagImages, WriteVersion

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry

SHORT = 12
PARALLEL_READS = 8


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
        return {"commit": self.repository.commit(tuple(changes), release_commit.message(step.version))}

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
        notes = release_commit.read_notes(
            self.repository, self.config, head, tag.removeprefix(self.config.tag_prefix)
        )
        return f"{title}\n\n{notes}" if notes else title


@dataclass(frozen=True, slots=True)
class TagImagesHandler:
    """Tags every image of the version with the version and with its commit."""

    repository: Repository
    config: Config
    registry: "Registry"

    def check(self, step: TagImages) -> StepResult | None:
        """Returns an empty result, if every image has both tags."""
        return None if any(digest != tag.digest for tag, digest in self._found_tags(step)) else {}

    def do(self, step: TagImages, say: ProgressCallback) -> StepResult:
        """Adds each tag to the manifest that the registry has; no image is pulled or pushed.

        The version is tagged in git, and pushed where there is a remote. A tag in the registry that names
        another image was therefore left by a release that ended before its push, and is replaced.
        """
        for tag, digest in self._found_tags(step):
            if digest == tag.digest:
                continue
            self.registry.tag(self.config.registry.path(tag.image), tag.digest, tag.name)
            replaced = f"; it was {digest}, which no git tag explains" if digest else ""
            say(f"{tag.image}: {tag.name}{replaced}", is_note=True)
        return {}

    def _found_tags(self, step: TagImages) -> list[tuple["_WantedTag", str | None]]:
        """Returns every tag of the version with the digest that the registry has under it now."""
        commit = self.repository.tags()[step.tag]
        images = resolve_committed_images(self.repository, self.config, self.registry, commit)
        wanted = [
            _WantedTag(name, tag, image.digest)
            for name, image in images.items()
            for tag in (step.tag, f"sha-{commit[:SHORT]}")
        ]
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            digests = pool.map(
                lambda tag: self.registry.digest(self.config.registry.path(tag.image), tag.name), wanted
            )
            return list(zip(wanted, digests, strict=True))


@dataclass(frozen=True, slots=True)
class _WantedTag:
    image: str
    name: str
    digest: str


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
