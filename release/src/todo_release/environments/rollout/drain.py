"""Waits until the pods that a rollout replaced are gone.

A rollout counts as done while old pods still finish their requests, and an ingress may keep sending them
some: Traefik sends to terminating pods while they report ready, other controllers until they notice the
change. A check made before that may test the old version.
"""

from collections.abc import Callable

from todo_release.core.clock import Clock, SystemClock
from todo_release.environments.rollout.watcher import POLL_SECONDS, ClusterReader

DRAIN_SECONDS = 120  # twice the termination grace that pods usually have; slower pods are not waited for


def drain(
    cluster: ClusterReader, namespace: str, *, on_wait: Callable[[str], None], clock: Clock | None = None
) -> bool:
    """Waits until no pod of the namespace is terminating; returns False when some still are at the deadline.

    The deadline is `DRAIN_SECONDS`. `on_wait` gets a sentence that names the pods, each time they change.

    Raises:
        ClusterError: The API server was not reachable or refused.
    """
    clock = clock or SystemClock()
    deadline = clock.now() + DRAIN_SECONDS
    reported: list[str] = []
    while True:
        terminating = sorted(pod.name for pod in cluster.snapshot(namespace, ()).pods if pod.is_terminating)
        if not terminating or clock.now() >= deadline:
            return not terminating
        if terminating != reported:
            reported = terminating
            on_wait(f"old pods are terminating: {', '.join(terminating)}")
        clock.sleep(POLL_SECONDS)
