"""Environments: how each is reached, what it runs, and how it is taken back to what worked before."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from todo_release.adapters.git import Repository
from todo_release.artifacts.versions import parse, tag_of
from todo_release.config.model import Config, Environment
from todo_release.environments.history import Records

if TYPE_CHECKING:
    from todo_release.adapters.helm.cli import Helm
    from todo_release.adapters.kubernetes.client import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An environment with what reaches it."""

    name: str
    settings: Environment
    cluster: "Cluster"
    helm: "Helm"
    records: Records


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseContext:
    """Who changes environments, and how each one is reached; `who` is asked only when something changes."""

    repository: Repository
    config: Config
    reach: Callable[[str], Access]
    who: Callable[[], str]
    run_url: str | None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def by(self) -> str:
        """Who changes environments, and from where, as records and locks name it.

        Raises:
            RepositoryError: git does not know.
        """
        return self.who()

    def commit_of(self, version: str) -> str:
        """The commit that the tag of a version names."""
        return self.repository.tags()[tag_of(parse(version))]
