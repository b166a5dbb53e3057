"""Waits until the pods that a rollout replaced are gone.

A rollout counts as done while old pods still finish what they have begun, and an ingress may go on asking
them: Traefik as long as they call themselves ready, any of them until it hears of the change. Who judges a
new version before that may be judging the old one.
"""

from collections.abc import Callable

from todo_release.core.clock import Clock, SystemClock
from todo_release.environments.rollout.watcher import LOOK_SECONDS, Looks

DRAIN_SECONDS = 120  # twice the grace that pods are usually given; whoever takes longer is not waited for


def drain(
    cluster: Looks, namespace: str, *, on_wait: Callable[[str], None], clock: Clock | None = None
) -> bool:
    """Return when no pod of the namespace is on its way out, False when some still were after DRAIN_SECONDS.

    `on_wait` hears which ones are waited for, each time these are others.

    Raises:
        ClusterError: the API server was not reachable or refused.
    """
    ticking = clock or SystemClock()
    deadline = ticking.now() + DRAIN_SECONDS
    told: list[str] = []
    while True:
        going = sorted(pod.name for pod in cluster.snapshot(namespace, ()).pods if pod.is_terminating)
        if not going or ticking.now() >= deadline:
            return not going
        if going != told:
            told = going
            on_wait(f"old pods are going: {', '.join(going)}")
        ticking.sleep(LOOK_SECONDS)
