"""The commands `staging.sleep` and `staging.wake`."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from todo_cluster.application import ApplicationEnvironment
from todo_cluster.command import ClusterCommand, ClusterOptions, run_command
from todo_release.adapters.kubernetes import sleep as scaling
from todo_release.core.tables import Table
from todo_release.errors import LockedError

Scale = Callable[[scaling.ScalableCluster, str, str], dict[str, int]]


def sleep(root: Path, options: ClusterOptions, environment: str) -> int:
    """Scales an environment to zero, unless a release works on it."""

    def answer(command: ClusterCommand) -> int:
        target = _target(command, environment)
        holder = scaling.find_release(target.cluster, target.namespace, datetime.now(UTC))
        if holder:
            raise LockedError(
                f"{holder} releases to {environment} now.",
                remedy="Wait until `inv status` shows its version.",
            )
        command.confirm(f"Stop all pods of {environment}?")
        _scale(
            command, target, scaling.put_to_sleep, "sleeps", "No workload had replicas: it sleeps already."
        )
        return 0

    return run_command(root, options, answer)


def wake(root: Path, options: ClusterOptions, environment: str) -> int:
    """Gives an environment its replicas back; `inv verify` says when it answers."""

    def answer(command: ClusterCommand) -> int:
        target = _target(command, environment)
        _scale(command, target, scaling.wake, "is awake", "No workload sleeps.")
        return 0

    return run_command(root, options, answer)


def _target(command: ClusterCommand, name: str) -> ApplicationEnvironment:
    command.release.environment(name)
    return ApplicationEnvironment(command.root, command.release, name)


def _scale(
    command: ClusterCommand, target: ApplicationEnvironment, scale: Scale, verb: str, otherwise: str
) -> None:
    scaled = scale(target.cluster, target.namespace, target.settings.release)
    if not scaled:
        command.reporter.show_text(otherwise)
        return
    rows = tuple((subject, str(replicas)) for subject, replicas in sorted(scaled.items()))
    command.reporter.show_table(Table(f"{target.name} {verb}", ("workload", "replicas"), rows))
