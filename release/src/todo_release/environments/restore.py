"""Restores an environment to the newest deployment that worked."""

from todo_release.adapters.kubernetes import manifest
from todo_release.core.progress import ProgressCallback
from todo_release.environments import history
from todo_release.environments.environment import EnvironmentAccess, ReleaseContext
from todo_release.environments.history import DeploymentRecord
from todo_release.environments.rollout import watcher
from todo_release.errors import ReleaseError


def restore_after_failure(
    context: ReleaseContext,
    access: EnvironmentAccess,
    revision: int,
    error: ReleaseError,
    say: ProgressCallback,
) -> str:
    """Records that a revision failed and rolls it back if it was deployed; returns what was done.

    An error of the rollback becomes part of the answer and is not raised, because it would hide the first
    error.
    """
    revisions = access.helm.history(access.settings.release)
    done = "nothing was changed"
    if revisions and revisions[-1].number == revision:
        access.helm.mark_failed(access.settings.release, revision, error.problem)
        try:
            done = restore_last_working(context, access, revision, say)
        except ReleaseError as rollback_error:
            done = f"the earlier version could not be restored: {rollback_error}"
    access.records.finish(revision, "failed", seconds={}, cause=error.problem)
    return done


def restore_last_working(
    context: ReleaseContext, access: EnvironmentAccess, revision: int, say: ProgressCallback
) -> str:
    """Rolls back to the newest working deployment before a revision and waits for it; returns what was done.

    A verified revision is preferred to one that was only deployed. When none worked, as in a first
    deployment, everything stays as it is: deleting the namespace's objects would also delete what explains
    the failure.

    Raises:
        HelmError: Helm refused to roll back.
        ClusterError: The cluster was not reachable or refused.
    """
    # slow: loads the Kubernetes client (80 ms)
    from todo_release.adapters.helm.storage import WORKING_STATUSES, last_good

    revisions = access.helm.history(access.settings.release)
    working = {candidate.number: candidate for candidate in revisions if candidate.status in WORKING_STATUSES}
    records = access.records.read()
    verified = history.last_verified([record for record in records if record.revision in working], revision)
    number = verified.revision if verified else None
    if number is None and (good := last_good(revisions, revision)):
        number = good.number
    if number is None:
        return "there was no earlier version to go back to"
    access.helm.rollback(
        access.settings.release, number, timeout_seconds=access.settings.timeout_seconds, on_line=say
    )
    restored = next((record for record in records if record.revision == number), None)
    if restored is not None:
        _record_rollback(context, access, restored)
    done = f"rolled back to {working[number].app_version} (revision {number})"
    result = watcher.watch(
        access.cluster,
        access.settings.namespace,
        manifest.workloads_of(access.helm.manifest(access.settings.release)),
        deadline_seconds=access.settings.timeout_seconds,
        on_progress=lambda progress: say(str(progress), is_note=True),
    )
    return done if isinstance(result, watcher.Ready) else f"{done}, but {result.failure.to_error().problem}"


def _record_rollback(context: ReleaseContext, access: EnvironmentAccess, restored: DeploymentRecord) -> None:
    last = access.helm.history(access.settings.release)[-1]
    access.records.write(
        DeploymentRecord(
            revision=last.number,
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
