"""Environments: how each one is reached, and the context of whoever changes them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from todo_release.adapters.git import Repository
from todo_release.artifacts.versions import parse, tag_of
from todo_release.config.model import Config, TargetEnvironment
from todo_release.core.fence import Fence
from todo_release.core.progress import ProgressCallback
from todo_release.environments.history import RecordStore

if TYPE_CHECKING:
    from todo_release.adapters.helm.cli import Helm
    from todo_release.adapters.kubernetes.client import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentAccess:
    """An environment with its settings and the clients that reach it.

    `fence` says whether this run may write there now; the clients ask it by themselves.
    """

    name: str
    settings: TargetEnvironment
    cluster: "Cluster"
    helm: "Helm"
    records: RecordStore
    fence: Fence = field(default_factory=Fence)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseMark:
    """What is marked for people who look for causes: that another version runs in an environment now."""

    reason: Literal["Released", "RolledBack"]
    text: str
    by: str
    began_at: datetime
    ended_at: datetime


MarkRelease = Callable[[EnvironmentAccess, ReleaseMark, ProgressCallback], None]


def _without_marks(access: EnvironmentAccess, mark: ReleaseMark, say: ProgressCallback) -> None:
    """Writes no mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseContext:
    """What every change of an environment needs.

    `connect` gives access to an environment by name. `read_actor` is called only when something changes,
    because git may not know the user's name. `run_url` is the page of the CI run, if there is one. `mark`
    marks a deployment where people look for causes.
    """

    repository: Repository
    config: Config
    connect: Callable[[str], EnvironmentAccess]
    read_actor: Callable[[], str]
    run_url: str | None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    mark: MarkRelease = _without_marks

    @property
    def actor(self) -> str:
        """Who changes environments, and from which machine, as records and locks name it.

        Raises:
            RepositoryError: Git has no name for the user.
        """
        return self.read_actor()

    def commit_of(self, version: str) -> str:
        """Returns the commit that the tag of a version names."""
        return self.repository.tags()[tag_of(parse(version), self.config.tag_prefix)]
