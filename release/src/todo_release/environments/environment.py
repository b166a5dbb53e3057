"""Environments: how each is reached, what it runs, and how it is taken back to what worked before."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from todo_release.adapters.git import Repository
from todo_release.artifacts.deployment import parse_description
from todo_release.artifacts.versions import parse, tag_of
from todo_release.config.model import Config, Environment
from todo_release.environments import history as records_of
from todo_release.environments.history import Record, Records
from todo_release.errors import ReleaseError
from todo_release.pipeline.facts import Running
from todo_release.pipeline.runner import Say

if TYPE_CHECKING:
    from todo_release.adapters.helm.cli import Helm
    from todo_release.adapters.helm.storage import Revision
    from todo_release.adapters.kubernetes.client import Cluster

ROLLBACK = "Rollback to "


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An environment with what reaches it."""

    name: str
    settings: Environment
    cluster: "Cluster"
    helm: "Helm"
    records: Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
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

    def fail(self, access: Access, revision: int, error: ReleaseError, say: Say) -> str:
        """Write down that a revision failed, and undo it if it is there; says what was done.

        What goes wrong in undoing it is part of the answer and no error of its own: it would hide the first.
        """
        history = access.helm.history(access.settings.release)
        done = "nothing was changed"
        if history and history[-1].number == revision:
            access.helm.mark_failed(access.settings.release, revision, error.problem)
            try:
                done = self.undo(access, revision, say)
            except ReleaseError as trouble:
                done = f"the earlier version could not be restored: {trouble}"
        access.records.finish(revision, "failed", seconds={}, cause=error.problem)
        return done

    def undo(self, access: Access, revision: int, say: Say) -> str:
        """Take an environment back to the newest deployment before a revision that worked, and wait until it
        runs; says what was done.

        A revision that was verified goes before one that merely was deployed. When none worked, as in a first
        deployment, everything stays as it is: deleting a namespace's objects helps nobody to see why.

        Raises:
            HelmError: Helm refused to go back.
            ClusterError: the cluster was not reachable or refused.
        """
        from todo_release.adapters.helm.storage import WORKED, last_good
        from todo_release.environments.rollout import watcher

        history = access.helm.history(access.settings.release)
        kept = {one.number: one for one in history if one.status in WORKED}
        recorded = access.records.read()
        verified = records_of.last_verified([one for one in recorded if one.revision in kept], revision)
        number = verified.revision if verified else None
        if number is None and (good := last_good(history, revision)):
            number = good.number
        if number is None:
            return "there was no earlier version to go back to"
        access.helm.rollback(
            access.settings.release, number, timeout_seconds=access.settings.timeout_seconds, on_line=say
        )
        back_to = next((one for one in recorded if one.revision == number), None)
        if back_to is not None:
            self._record_return(access, back_to)
        done = f"rolled back to {kept[number].app_version} (revision {number})"
        result = watcher.watch(
            access.cluster,
            access.settings.namespace,
            watcher.workloads_of(access.helm.manifest(access.settings.release)),
            deadline_seconds=access.settings.timeout_seconds,
            on_progress=lambda progress: say(str(progress), is_note=True),
        )
        return done if isinstance(result, watcher.Ready) else f"{done}, but {result.doom.error().problem}"

    def _record_return(self, access: Access, back_to: Record) -> None:
        last = access.helm.history(access.settings.release)[-1]
        access.records.write(
            Record(
                revision=last.number,
                version=back_to.version,
                deployment_id=back_to.deployment_id,
                digests=back_to.digests,
                by=self.by,
                run_url=self.run_url,
                started_at=self.now(),
                result="deployed",
                cause=f"rollback to revision {back_to.revision}",
            )
        )


def running_in(access: Access) -> Running | None:
    """What an environment runs by Helm's last revision, and whether all of it is ready; None when never
    deployed.
    """
    from todo_release.environments.rollout.watcher import workloads_of

    release = access.settings.release
    history = access.helm.history(release)
    if not history:
        return None
    last = history[-1]
    deployed = parse_description(_origin(history, last).description)
    workloads = workloads_of(access.helm.manifest(release))
    found = access.cluster.snapshot(access.settings.namespace, workloads).workloads.values()
    return Running(
        version=deployed[0] if deployed else last.app_version,
        deployment_id=deployed[1] if deployed else None,
        revision=last.number,
        status=last.status,
        is_ready=len(found) == len(workloads) and all(workload.is_ready for workload in found),
    )


def _origin(history: "list[Revision]", revision: "Revision") -> "Revision":
    """The revision that a rollback brought back, through several rollbacks if need be."""
    known = {one.number: one for one in history}
    while revision.description.startswith(ROLLBACK):
        earlier = known.get(int(revision.description.removeprefix(ROLLBACK)))
        if earlier is None:
            break
        revision = earlier
    return revision
