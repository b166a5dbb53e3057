"""The steps of a plan: frozen data that says what to do and why. The handlers know how."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do.

    `is_done` is true when the facts show that the step is done already; `reason` then says how that is known.
    """

    kind: ClassVar[str]
    reason: str
    is_done: bool = False

    @property
    def id(self) -> str:
        """Returns the stable name of the step in a journal, unique in a plan."""
        return self.kind

    @property
    def title(self) -> str:
        """Returns the name that people read."""
        raise NotImplementedError

    @property
    def locks(self) -> str | None:
        """Returns the environment whose lock this step needs, None if it changes no environment."""
        return None

    @property
    def wave(self) -> int | None:
        """Returns the number that neighbours share when they may run at the same time; None runs alone."""
        return None

    def as_json(self) -> Mapping[str, Any]:
        """Returns the kind, the id, the title and every field."""
        return {"kind": self.kind, "id": self.id, "title": self.title} | {
            step_field.name: getattr(self, step_field.name) for step_field in fields(self)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentStep(Step):
    """A step for one version in one environment."""

    environment: str
    version: str

    @property
    def id(self) -> str:
        """Returns the kind and the environment."""
        return f"{self.kind}:{self.environment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPreflight(EnvironmentStep):
    """Find what would certainly fail in an environment, before anything is built or changed."""

    kind = "preflight"

    @property
    def title(self) -> str:
        """Returns `Preflight staging`."""
        return f"Preflight {self.environment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildImage(Step):
    """Build an image from its inputs and push it under its content tag; done when the registry has that tag.

    `last` is the digest of the image in the last release.
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
        """Returns the kind and the image."""
        return f"{self.kind}:{self.image}"

    @property
    def tag(self) -> str:
        """Returns the tag that names the content of the image."""
        return f"content-{self.content_id}"

    @property
    def wave(self) -> int:
        """Returns 0 for the first image of a build context and 1 for the others.

        Images of one context share their first Dockerfile stages. The first build fills the cache; the others
        then reuse those stages instead of building them again at the same time.
        """
        return 0 if self.is_first_of_context else 1

    @property
    def title(self) -> str:
        """Returns `Build backend` or `Reuse backend`."""
        return f"{'Reuse' if self.is_done else 'Build'} {self.image}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteVersion(Step):
    """Write the version and the image digests into the chart's files, and commit exactly those files."""

    kind = "commit"
    version: str
    files: tuple[str, ...]

    @property
    def title(self) -> str:
        """Returns `Commit 0.1.0`."""
        return f"Commit {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCommit(Step):
    """Create the annotated tag of a version on the release commit."""

    kind = "tag"
    tag: str

    @property
    def title(self) -> str:
        """Returns `Tag v0.1.0`."""
        return f"Tag {self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagImages(Step):
    """Tag the images of a version with the version and with the commit."""

    kind = "tag-images"
    tag: str
    images: tuple[str, ...]

    @property
    def title(self) -> str:
        """Returns `Tag images v0.1.0`."""
        return f"Tag images {self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Push(Step):
    """Push the branch and the tag to the remote, both or neither."""

    kind = "push"
    remote: str
    branch: str
    tag: str

    @property
    def title(self) -> str:
        """Returns `Push main and v0.1.0 to origin`."""
        return f"Push {self.branch} and {self.tag} to {self.remote}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm(EnvironmentStep):
    """Ask a person whether an environment may be changed."""

    kind = "confirm"

    @property
    def title(self) -> str:
        """Returns `Confirm production`."""
        return f"Confirm {self.environment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy(EnvironmentStep):
    """Deploy a version to an environment and wait until it is ready; restore the earlier version if it fails.

    `pins` maps images to the older versions they are taken from. `changes` are lines that say what will
    differ in the cluster. `running_version` and `running_revision` are what the plan saw there, None and 0
    when nothing was deployed. `is_agreed` is true when a person agrees to the plan, so that nothing there may
    have changed since. `allows_downgrade` is true when a lower version may replace a higher one.
    """

    kind = "deploy"
    pins: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    running_version: str | None = None
    running_revision: int = 0
    is_agreed: bool = False
    allows_downgrade: bool = False

    @property
    def title(self) -> str:
        """Returns `Deploy 0.1.0 to staging`, or `Deploy 0.2.0 with backend of 0.1.0 to production`."""
        pinned = ", ".join(f"{image} of {version}" for image, version in self.pins.items())
        return f"Deploy {self.version}{f' with {pinned}' if pinned else ''} to {self.environment}"

    @property
    def locks(self) -> str:
        """Returns the environment."""
        return self.environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify(EnvironmentStep):
    """Run the smoke checks of an environment and record the version as verified.

    When a check fails, the earlier version is restored. `is_watched_next` is true when the plan watches the
    version afterwards; until that has ended, no environment accepts it on the word of this one.
    """

    kind = "verify"
    is_watched_next: bool = False

    @property
    def title(self) -> str:
        """Returns `Verify 0.1.0 in staging`."""
        return f"Verify {self.version} in {self.environment}"

    @property
    def locks(self) -> str:
        """Returns the environment, so that nothing else is deployed while the smoke checks run."""
        return self.environment


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchHealth(EnvironmentStep):
    """Watch how the pods of a verified version answer; when they fail, the earlier version is restored."""

    kind = "watch"
    minutes: float

    @property
    def title(self) -> str:
        """Returns `Watch 0.1.0 in staging`."""
        return f"Watch {self.version} in {self.environment}"

    @property
    def locks(self) -> str:
        """Returns the environment, so that nothing else is deployed while its pods are compared."""
        return self.environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce(Step):
    """Create the release page of a version on GitHub, once every environment has it.

    `is_latest` is false for a pre-release and for a version lower than one that was released already.
    """

    kind = "announce"
    tag: str
    repository: str
    is_latest: bool = True

    @property
    def title(self) -> str:
        """Returns `Announce v0.1.0 on GitHub`."""
        return f"Announce {self.tag} on GitHub"
