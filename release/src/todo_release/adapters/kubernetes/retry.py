"""Tries requests to an API server again when their failure is likely to pass by itself."""

from collections.abc import Callable
from typing import TypeVar

from todo_release.adapters.kubernetes.client import ApiConflictError, ApiRefusedError, ApiUnavailableError
from todo_release.core.clock import Clock, SystemClock
from todo_release.errors import ClusterError

# Too many requests, and what a server, its proxy or etcd answers while it starts, stops or is overloaded.
TRANSIENT_STATUSES = (429, 500, 502, 503, 504)
RETRY_SECONDS = 90.0  # longer than a control plane takes for its upgrade of a minute
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0
CONFLICT_TRIES = 5
ResultT = TypeVar("ResultT")


def is_transient(error: Exception) -> bool:
    """Returns whether the same request may succeed later: no answer, or an answer of a server in trouble."""
    if isinstance(error, ApiRefusedError):
        return error.status in TRANSIENT_STATUSES
    return isinstance(error, ApiUnavailableError)


def retried(
    action: Callable[[], ResultT], *, seconds: float = RETRY_SECONDS, clock: Clock | None = None
) -> ResultT:
    """Returns the result of an action that reads an object, changes it and writes it back.

    It is repeated, with growing pauses, while the API server is in trouble, and at once when the object was
    changed in between: by somebody else, or by an earlier try whose answer was lost.

    Raises:
        ClusterError: Another failure, or one that lasted longer than `seconds`.
    """
    clock = clock or SystemClock()
    deadline, pause, conflicts = clock.now() + seconds, FIRST_PAUSE_SECONDS, 0
    while True:
        try:
            return action()
        except ApiConflictError:
            conflicts += 1
            if conflicts >= CONFLICT_TRIES:
                raise
        except ClusterError as error:
            if not is_transient(error) or clock.now() + pause > deadline:
                raise
            clock.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
