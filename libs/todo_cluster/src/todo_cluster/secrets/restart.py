"""Restarts Deployments one after the other, so that their pods read new values, and waits for each.

A pod template gets the annotation of `kubectl rollout restart`; the Deployment then replaces its pods by its
own strategy, which keeps the old ones until the new ones are ready. One at a time, because the nodes have
room for one more pod of one Deployment, not of all.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from todo_cluster.application import SECRETS_MANAGER, ApplicationEnvironment
from todo_cluster.errors import RestartError
from todo_release.adapters.kubernetes.api_resources import DEPLOYMENTS
from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, Workload, WorkloadRef
from todo_release.core.clock import Clock, SystemClock
from todo_release.core.formatting import duration

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
POLL_SECONDS = 1.0
DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"

Say = Callable[[str], None]


class PodRestart:
    """Restarts Deployments of one environment; `undo` takes back those that it has touched."""

    def __init__(self, environment: ApplicationEnvironment, say: Say, clock: Clock | None = None) -> None:
        """Changes nothing yet."""
        self._environment = environment
        self._say = say
        self._clock = clock or SystemClock()
        self._before: dict[str, str | None] = {}

    def run(self, deployments: Iterable[str]) -> None:
        """Restarts each Deployment that exists and waits until it is ready.

        Raises:
            RestartError: New pods did not become ready; the old ones still serve.
            ClusterError: The API server did not answer or refused.
        """
        for name in sorted(deployments):
            live = self._environment.cluster.read(self._path(name))
            if live is None:
                self._say(f"{name} is not deployed yet: it reads the values when it is.")
                continue
            annotations = live["spec"]["template"]["metadata"].get("annotations") or {}
            self._before[name] = annotations.get(RESTARTED_AT)
            self._annotate(name, datetime.now(UTC).isoformat(timespec="microseconds"))
            seconds = self._wait(name)
            self._say(f"{name} restarted, ready after {duration(seconds)}.")

    def undo(self) -> None:
        """Gives every touched Deployment its earlier template back; ready pods of it are kept."""
        for name, earlier in self._before.items():
            self._annotate(name, earlier)

    def _path(self, name: str) -> str:
        return f"{DEPLOYMENTS.path(self._environment.namespace)}/{name}"

    def _annotate(self, name: str, value: str | None) -> None:
        template = {"metadata": {"annotations": {RESTARTED_AT: value}}}
        self._environment.cluster.patch(
            self._path(name), {"spec": {"template": template}}, manager=SECRETS_MANAGER
        )

    def _wait(self, name: str) -> float:
        ref, started_at = WorkloadRef("Deployment", name), self._clock.now()
        deadline = self._environment.settings.timeout_seconds
        while True:
            snapshot = self._environment.cluster.snapshot(self._environment.namespace, [ref])
            workload, seconds = snapshot.workloads[ref], self._clock.now() - started_at
            if workload.is_ready:
                return seconds
            progress = workload.condition("Progressing")
            has_failed = (
                workload.is_observed and progress is not None and progress.reason == DEADLINE_EXCEEDED
            )
            if has_failed or seconds > deadline:
                raise RestartError(
                    f"The new pods of {name} are not ready after {duration(seconds)}: "
                    f"{_reason(snapshot, workload)}.",
                    remedy=f"Old pods still serve. See `inv diagnose --env {self._environment.name}` and "
                    f"`inv logs --env {self._environment.name}`.",
                )
            self._clock.sleep(POLL_SECONDS)


def _reason(snapshot: NamespaceSnapshot, workload: Workload) -> str:
    for pod in snapshot.pods_of(workload):
        for container in pod.containers:
            if not container.is_ready:
                return f"{container.name}: {container.state.reason or container.state.phase}"
    return f"{workload.available} of {workload.desired} pods are available"
