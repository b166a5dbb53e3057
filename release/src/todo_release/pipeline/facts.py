"""What a plan is made from: the state of git, the registry and the clusters at one moment, as frozen data."""

from dataclasses import dataclass

from todo_release.artifacts.chart import ImageReference
from todo_release.environments.deviations import Deviation
from todo_release.environments.status import RunningVersion
from todo_release.errors import ReleaseError


@dataclass(frozen=True, slots=True, kw_only=True)
class GitFacts:
    """The work tree and the tag of the requested version.

    `release_branch` is the branch that is checked out if it is one of hotfixes. `unexpected` are dirty paths
    that no release wrote. `released` are the versions of all tags, here and on the remote, except the
    requested one; `in_line` those of them that a hotfix branch contains, None on the main branch.
    `tag_commit` is the commit of the requested version's tag. `changed` are the paths that a release is made
    of and that differ between that tag and the work tree.
    """

    head: str
    branch: str | None
    release_branch: str
    remote: str | None
    tag_prefix: str = "v"
    unexpected: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    in_line: tuple[str, ...] | None = None
    tag_commit: str | None = None
    remote_tag_commit: str | None = None
    is_behind_remote: bool = False
    is_shallow: bool = False
    changed: tuple[str, ...] = ()

    @property
    def is_pushed(self) -> bool:
        """Returns whether the remote, if there is one, has the version's tag as it is here."""
        return self.remote is None or self.remote_tag_commit == self.tag_commit


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """One image: its build context and content now, its digest in the registry, and its last release.

    `changed` are the inputs that differ from the last release, None when there was none. `is_tagged` is true
    when the registry has the digest under the requested version's tag.
    """

    name: str
    context: str
    repository: str
    content_id: str
    digest: str | None
    changed: tuple[str, ...] | None
    last: ImageReference | None
    is_tagged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartFacts:
    """The files that a release edits, and whether the commit that is checked out has the edits already."""

    version: str
    files: tuple[str, ...]
    is_committed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFacts:
    """One environment: what runs there, and what is recorded of the requested version.

    `target_id` is the deployment id of the requested version, None while its tag does not exist.
    `is_verified` is true when exactly this deployment passed its smoke checks here, `is_requirement_met` when
    its digests passed those of the environment that `requires` names. `changes` are lines that say what the
    deployment will change. `deviations` say how the environment differs from the requested version although
    Helm has deployed it, `requirement_deviations` the same of the environment that `requires` names;
    `is_requirement_hidden` is true where this account may read only its records. `watch_minutes` is how long
    a version is watched here, None if it is not; `is_watched` is true when exactly this deployment was.
    """

    name: str
    requires: str | None
    needs_confirmation: bool
    target_id: str | None
    running: RunningVersion | None
    is_verified: bool
    is_requirement_met: bool = False
    changes: tuple[str, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    requirement_deviations: tuple[Deviation, ...] = ()
    is_requirement_hidden: bool = False
    watch_minutes: float | None = None
    is_watched: bool = False

    @property
    def running_name(self) -> str:
        """Returns `0.1.0 (revision 3, deployed)` of what runs, or `nothing`."""
        running = self.running
        return f"{running.version} (revision {running.revision}, {running.status})" if running else "nothing"

    @property
    def is_current(self) -> bool:
        """Returns whether the requested version is deployed, healthy and unaltered."""
        running = self.running
        return (
            running is not None
            and self.target_id is not None
            and not self.deviations
            and running.is_deployed(self.target_id)
            and running.is_ready
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementFacts:
    """The repository where versions are announced, and the URL of the announcement if there is one."""

    repository: str
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFacts:
    """Everything that a release plan depends on; `problems` are the errors of what could not be read."""

    git: GitFacts
    images: tuple[ImageFacts, ...]
    chart: ChartFacts
    environments: tuple[EnvironmentFacts, ...]
    announcement: AnnouncementFacts | None = None
    problems: tuple[ReleaseError, ...] = ()

    @property
    def basis(self) -> dict[str, str]:
        """Returns the facts that a saved plan depends on: their names for people, and their values."""
        git = self.git
        basis = {
            f"what {environment.name} runs": environment.running_name for environment in self.environments
        }
        basis |= {
            "the commit that is checked out": git.head,
            "the commit of the tag": git.tag_commit or "none",
        }
        for image in self.images:
            basis[f"the content of {image.name}"] = image.content_id
            basis[f"the image {image.name}"] = image.digest or "not built"
        for environment in self.environments:
            basis[f"the deployment to {environment.name}"] = environment.target_id or "not tagged"
            basis[f"what changes in {environment.name}"] = "\n".join(environment.changes)
        return basis
