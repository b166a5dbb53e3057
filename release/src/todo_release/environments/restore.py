"""Restores an environment to the newest deployment that worked."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from todo_release.adapters.kubernetes import manifest
from todo_release.adapters.kubernetes.retry import retried
from todo_release.core.progress import ProgressCallback
from todo_release.environments import history
from todo_release.environments.applying import apply_patiently
from todo_release.environments.environment import EnvironmentAccess, ReleaseContext, ReleaseMark
from todo_release.environments.history import DeploymentRecord
from todo_release.environments.rollout import watcher
from todo_release.environments.rollout.endpoints import wait_for_endpoints
from todo_release.environments.rollout.patience import patience_of
from todo_release.environments.status import ROLLBACK
from todo_release.errors import LockedError, ReleaseError


def restore_after_failure(
    context: ReleaseContext,
    access: EnvironmentAccess,
    revision: int,
    error: ReleaseError,
    say: ProgressCallback,
) -> str:
    """Records that a revision failed and rolls it back if it was deployed; returns what was done.

    Nothing is raised, because it would hide the first error: an error of the rollback, and of what is
    recorded about it, becomes part of the answer. A record that cannot be written prevents no rollback.
    """
    release, notes = access.settings.release, list[str]()
    done = "nothing was changed"
    try:
        newest = retried(lambda: access.helm.newest(release))
        if newest is not None and newest.number == revision:
            _record(lambda: access.helm.mark_failed(release, revision, error.problem), notes)
            done = restore_last_working(context, access, revision, say, notes)
    except ReleaseError as rollback_error:
        done = f"the earlier version could not be restored: {str(rollback_error).rstrip('.')}"
        if not isinstance(rollback_error, LockedError):
            done = f"{done}; try `inv rollback --env {access.name}`"
    _record(lambda: access.records.finish(revision, "failed", seconds={}, cause=error.problem), notes)
    return "; ".join([done, *dict.fromkeys(notes)])


def _record(action: Callable[[], None], notes: list[str]) -> None:
    """Does a piece of bookkeeping; its failure is a note."""
    try:
        action()
    except ReleaseError as error:
        notes.append(f"not recorded, because {error.problem[:1].lower()}{error.problem[1:].rstrip('.')}")


def restore_last_working(
    context: ReleaseContext,
    access: EnvironmentAccess,
    revision: int,
    say: ProgressCallback,
    notes: list[str],
) -> str:
    """Rolls back to the newest working deployment before a revision and waits for it; returns what was done.

    A verified revision is preferred to one that was only deployed. When none worked, as in a first
    deployment, everything stays as it is: deleting the namespace's objects would also delete what explains
    the failure. What cannot be recorded is added to `notes`.

    Raises:
        HelmError: Helm refused to roll back.
        LockedError: The lock was lost.
        ClusterError: The cluster was not reachable or refused.
    """
    # slow: loads the Kubernetes client (80 ms)
    from todo_release.adapters.helm.storage import WORKING_STATUSES, last_good

    revisions = retried(lambda: access.helm.history(access.settings.release))
    working = {candidate.number: candidate for candidate in revisions if candidate.status in WORKING_STATUSES}
    records = retried(access.records.read)
    verified = history.last_verified([record for record in records if record.revision in working], revision)
    number = verified.revision if verified else None
    if number is None and (good := last_good(revisions, revision)):
        number = good.number
    if number is None:
        return "there was no earlier version to go back to"
    seconds, began_at = access.settings.timeout_seconds, context.now()
    apply_patiently(
        access,
        partial(access.helm.rollback, access.settings.release, number, timeout_seconds=seconds, on_line=say),
        is_done=lambda newest: newest.number > revision and newest.description == f"{ROLLBACK}{number}",
        seconds=seconds,
        say=say,
    )
    restored = next((record for record in records if record.revision == number), None)
    if restored is not None:
        _record(partial(_record_rollback, context, access, restored), notes)
    done = f"rolled back to {working[number].app_version} (revision {number})"
    _record(lambda: _mark(context, access, done, began_at, say=say), notes)
    restored_manifest = retried(lambda: access.helm.manifest(access.settings.release))
    result = watcher.watch(
        access.cluster,
        access.settings.namespace,
        manifest.workloads_of(restored_manifest, access.settings.namespace),
        deadline_seconds=access.settings.timeout_seconds,
        patience=patience_of(context.config, access.name, manifest.parse_manifest(restored_manifest)),
        on_progress=lambda progress: say(str(progress), is_note=True),
    )
    if isinstance(result, watcher.Ready):
        wait_for_endpoints(
            access.cluster, access.settings.namespace, restored_manifest, on_wait=partial(say, is_note=True)
        )
    return done if isinstance(result, watcher.Ready) else f"{done}, but {result.failure.to_error().problem}"


def _mark(
    context: ReleaseContext,
    access: EnvironmentAccess,
    done: str,
    began_at: datetime,
    *,
    say: ProgressCallback,
) -> None:
    mark = ReleaseMark(
        reason="RolledBack",
        text=f"{access.name}: {done}",
        by=context.actor,
        began_at=began_at,
        ended_at=context.now(),
    )
    context.mark(access, mark, say)


def _record_rollback(context: ReleaseContext, access: EnvironmentAccess, restored: DeploymentRecord) -> None:
    newest = retried(lambda: access.helm.newest(access.settings.release))
    access.records.write(
        DeploymentRecord(
            revision=newest.number if newest else restored.revision,
            version=restored.version,
            deployment_id=restored.deployment_id,
            digests=restored.digests,
            by=context.actor,
            run_url=context.run_url,
            started_at=context.now(),
            result="deployed",
            cause=f"rollback to revision {restored.revision}",
        )
    )
