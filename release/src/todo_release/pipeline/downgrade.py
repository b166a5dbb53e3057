"""Keeps a deployment from replacing what its plan did not see, or a higher version by mistake."""

from todo_release.artifacts import versions
from todo_release.environments.status import RunningVersion
from todo_release.errors import ReleaseError, StalePlanError, VersionError
from todo_release.pipeline.steps import Deploy


def refuse_downgrade(environment: str, version: str, running: RunningVersion | None) -> ReleaseError | None:
    """Returns the refusal of a version that is lower than what runs, None when it is not lower."""
    if running is None or not versions.is_lower(version, running.version):
        return None
    return VersionError(
        f"{environment} runs {running.version}, and {version} is lower.",
        remedy=f"To go back, run `inv rollback --env {environment} --version {version}`; "
        "to install it without its hooks, add `--allow-downgrade`.",
    )


def check_as_planned(step: Deploy, running: RunningVersion | None) -> str | None:
    """Checks that an environment still runs what the plan saw. Call only while holding its lock.

    A deployment that needs nobody's agreement may go on over a lower version, because it is what the same
    command would do now: of two releases at once the second one waits for the first. Returns a note on that.

    Raises:
        StalePlanError: something else runs by now; the problem names what.
        VersionError: the version is lower than what runs, and the plan did not allow that.
    """
    seen = _name(step.running_version, step.running_revision)
    found = _name(running.version, running.revision) if running else _name(None, 0)
    if found != seen:
        change = (
            f"{step.environment} has changed since the plan was made: it ran {seen}, and runs {found} now"
        )
        is_forward = running is not None and versions.is_lower(running.version, step.version)
        if is_forward and not step.is_agreed:
            return change
        raise StalePlanError(
            f"{change}.",
            remedy=f"Look at it with `inv history --env {step.environment}`, then run the same command "
            "again: it makes a new plan.",
        )
    refusal = None if step.allows_downgrade else refuse_downgrade(step.environment, step.version, running)
    if refusal is not None:
        raise refusal
    return None


def _name(version: str | None, revision: int) -> str:
    return f"{version or 'something'} (revision {revision})" if revision else "nothing"
