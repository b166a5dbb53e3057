"""What a plan is made from: a picture of git, the registry and the cluster at one moment, as frozen data."""

from dataclasses import dataclass

from todo_release.artifacts.chart import ImageReference
from todo_release.environments.status import Running
from todo_release.errors import ReleaseError


@dataclass(frozen=True, slots=True, kw_only=True)
class GitFacts:
    """The work tree, and what is known of a version's tag.

    `unexpected` are the dirty paths a release did not itself leave; `released` the versions that tags name,
    here or on the remote, without the one asked for; `tag_commit` the commit of its tag; `changed` the paths
    a release is made of that differ between that tag and the work tree.
    """

    head: str
    branch: str | None
    release_branch: str
    remote: str | None
    unexpected: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    tag_commit: str | None = None
    remote_tag_commit: str | None = None
    is_behind_remote: bool = False
    is_shallow: bool = False
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """One image: its build context and content now, what the registry has of it, what the last release ran.

    `changed` are the inputs that differ from the last release, None when there was none; `is_named` says that
    the registry knows the digest under the version asked for.
    """

    name: str
    context: str
    repository: str
    content_id: str
    digest: str | None
    changed: tuple[str, ...] | None
    last: ImageReference | None
    is_named: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartFacts:
    """The files a release edits, and whether the commit that is checked out already has the edit."""

    version: str
    files: tuple[str, ...]
    is_committed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFacts:
    """One environment: what runs, and what is recorded of the version asked for.

    `target_id` is the deployment id of the version asked for, None while its tag does not exist;
    `is_verified` says that this very deployment passed its smoke checks here, `is_requirement_met` that its
    digests passed those of the environment that `requires` names; `changes` are lines on what the deployment
    will change.
    """

    name: str
    requires: str | None
    needs_confirmation: bool
    target_id: str | None
    running: Running | None
    is_verified: bool
    is_requirement_met: bool = False
    changes: tuple[str, ...] = ()

    @property
    def is_current(self) -> bool:
        """True when the version asked for is deployed, healthy and unaltered."""
        running = self.running
        return (
            running is not None
            and self.target_id is not None
            and running.is_deployed(self.target_id)
            and running.is_ready
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementFacts:
    """Where versions are announced, and the address of the announcement of this one if it was made."""

    repository: str
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a plan looks at; `problems` is what could not be looked at."""

    git: GitFacts
    images: tuple[ImageFacts, ...]
    chart: ChartFacts
    environments: tuple[EnvironmentFacts, ...]
    announcement: AnnouncementFacts | None = None
    problems: tuple[ReleaseError, ...] = ()
