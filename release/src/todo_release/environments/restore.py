"""Takes an environment back to the newest deployment that worked."""

from todo_release.core.progress import Say
from todo_release.environments import history as records_of
from todo_release.environments.environment import Access, ReleaseContext
from todo_release.environments.history import Record
from todo_release.errors import ReleaseError


def fail(context: ReleaseContext, access: Access, revision: int, error: ReleaseError, say: Say) -> str:
    """Write down that a revision failed, and undo it if it is there; says what was done.

    What goes wrong in undoing it is part of the answer and no error of its own: it would hide the first.
    """
    history = access.helm.history(access.settings.release)
    done = "nothing was changed"
    if history and history[-1].number == revision:
        access.helm.mark_failed(access.settings.release, revision, error.problem)
        try:
            done = undo(context, access, revision, say)
        except ReleaseError as trouble:
            done = f"the earlier version could not be restored: {trouble}"
    access.records.finish(revision, "failed", seconds={}, cause=error.problem)
    return done


def undo(context: ReleaseContext, access: Access, revision: int, say: Say) -> str:
    """Take an environment back to the newest deployment before a revision that worked, and wait until it
    runs; says what was done.

    A revision that was verified goes before one that merely was deployed. When none worked, as in a first
    deployment, everything stays as it is: deleting a namespace's objects helps nobody to see why.

    Raises:
        HelmError: Helm refused to go back.
        ClusterError: the cluster was not reachable or refused.
    """
    from todo_release.adapters.helm.storage import WORKED, last_good
    from todo_release.adapters.kubernetes import manifest
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
        _record_return(context, access, back_to)
    done = f"rolled back to {kept[number].app_version} (revision {number})"
    result = watcher.watch(
        access.cluster,
        access.settings.namespace,
        manifest.workloads_of(access.helm.manifest(access.settings.release)),
        deadline_seconds=access.settings.timeout_seconds,
        on_progress=lambda progress: say(str(progress), is_note=True),
    )
    return done if isinstance(result, watcher.Ready) else f"{done}, but {result.failure.error().problem}"


def _record_return(context: ReleaseContext, access: Access, back_to: Record) -> None:
    last = access.helm.history(access.settings.release)[-1]
    access.records.write(
        Record(
            revision=last.number,
            version=back_to.version,
            deployment_id=back_to.deployment_id,
            digests=back_to.digests,
            by=context.by,
            run_url=context.run_url,
            started_at=context.now(),
            result="deployed",
            cause=f"rollback to revision {back_to.revision}",
        )
    )
