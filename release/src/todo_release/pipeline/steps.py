"""The steps a plan is made of: frozen data that says what is to be done and why, and nothing about how."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do. `is_done` says that the facts show it done already; the reason then says how that
    is known.
    """

    kind: ClassVar[str]
    reason: str
    is_done: bool = False

    @property
    def id(self) -> str:
        """Stable name in a journal, unique in a plan."""
        return self.kind

    @property
    def title(self) -> str:
        """What a person reads."""
        raise NotImplementedError

    @property
    def locks(self) -> str | None:
        """The environment whose lock must be held for this step; None for steps that touch none."""
        return None

    @property
    def wave(self) -> int | None:
        """Neighbours with the same number may run at the same time; None runs alone."""
        return None

    def as_json(self) -> Mapping[str, Any]:
        """For machines: the kind, the id and every field."""
        return {"kind": self.kind, "id": self.id, "title": self.title} | {
            one.name: getattr(self, one.name) for one in fields(self)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentStep(Step):
    """A step that concerns one environment and a version there."""

    environment: str
    version: str

    @property
    def id(self) -> str:
        """One an environment."""
        return f"{self.kind}:{self.environment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight(EnvironmentStep):
    """Look for what would certainly fail in an environment, before anything is built or changed."""

    kind = "preflight"

    @property
    def title(self) -> str:
        """Reads `Preflight staging`."""
        return f"Preflight {self.environment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildImage(Step):
    """Build an image from its inputs and push it under its content tag; done when the registry has that
    tag. `last` is the digest that the last release has.
    """

    kind = "build"
    image: str
    repository: str
    content_id: str
    digest: str | None = None
    last: str | None = None
    is_first_of_context: bool = True

    @property
    def id(self) -> str:
        """One a name of an image."""
        return f"{self.kind}:{self.image}"

    @property
    def tag(self) -> str:
        """The tag that says what is in the image."""
        return f"content-{self.content_id}"

    @property
    def wave(self) -> int:
        """Images of one context share their first stages: one of them is built before the others, which then
        find those stages in the cache instead of building them at the same time."""
        return 0 if self.is_first_of_context else 1

    @property
    def title(self) -> str:
        """Reads `Build backend` or `Reuse backend`."""
        return f"{'Reuse' if self.is_done else 'Build'} {self.image}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteVersion(Step):
    """Write the version and the image digests into the chart's files, and commit exactly those."""

    kind = "commit"
    version: str
    files: tuple[str, ...]

    @property
    def title(self) -> str:
        """Reads `Commit 0.1.0`."""
        return f"Commit {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCommit(Step):
    """Make the annotated tag of a version on the release commit."""

    kind = "tag"
    tag: str

    @property
    def title(self) -> str:
        """Reads `Tag v0.1.0`."""
        return f"Tag {self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameImages(Step):
    """Give the images of a version its tags: the version and the commit."""

    kind = "name-images"
    tag: str
    images: tuple[str, ...]

    @property
    def title(self) -> str:
        """Reads `Name the images v0.1.0`."""
        return f"Name the images {self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Push(Step):
    """Push the branch and the tag to the remote, both or neither."""

    kind = "push"
    remote: str
    branch: str
    tag: str

    @property
    def title(self) -> str:
        """Reads `Push main and v0.1.0 to origin`."""
        return f"Push {self.branch} and {self.tag} to {self.remote}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm(EnvironmentStep):
    """Ask a person whether an environment may be changed."""

    kind = "confirm"

    @property
    def title(self) -> str:
        """Reads `Confirm production`."""
        return f"Confirm {self.environment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy(EnvironmentStep):
    """Bring an environment to a version and wait until it runs; undo it when it cannot. `changes` are lines
    on what will differ in the cluster.
    """

    kind = "deploy"
    pins: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Reads `Deploy 0.1.0 to staging`, or `Deploy 0.2.0 with backend of 0.1.0 to production`."""
        pinned = ", ".join(f"{image} of {version}" for image, version in self.pins.items())
        return f"Deploy {self.version}{f' with {pinned}' if pinned else ''} to {self.environment}"

    @property
    def locks(self) -> str:
        """The environment itself."""
        return self.environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify(EnvironmentStep):
    """Run the smoke checks of an environment and record the version there as verified; undo it when they
    fail.
    """

    kind = "verify"

    @property
    def title(self) -> str:
        """Reads `Verify 0.1.0 in staging`."""
        return f"Verify {self.version} in {self.environment}"

    @property
    def locks(self) -> str:
        """The environment, so that nothing else is deployed while it is judged."""
        return self.environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce(Step):
    """Make the release page of a version, when every environment has it."""

    kind = "announce"
    tag: str
    repository: str

    @property
    def title(self) -> str:
        """Reads `Announce v0.1.0 on GitHub`."""
        return f"Announce {self.tag} on GitHub"
