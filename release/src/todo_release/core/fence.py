"""Says whether this run may still write to an environment, and until when without another word of the lock.

`environments.lock` opens and closes the fence. The clients that write ask it before every request, and
`adapters.process` ends a program that may write when the fence closes, also when this process is stopped.
"""

import threading

from todo_release.core.clock import Clock, SystemClock
from todo_release.errors import ReleaseError


class Fence:
    """The permission of one run to write to one environment; without a lock there is no limit."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Starts without a limit."""
        self._clock = clock or SystemClock()
        self._changing = threading.Lock()
        self._until: float | None = None
        self._refusal: ReleaseError | None = None
        self._is_final = False

    def extend(self, until: float, refusal: ReleaseError) -> None:
        """Permits writing until a moment of the clock, after which `refusal` is raised.

        A fence that was closed for good stays closed.
        """
        with self._changing:
            if not self._is_final:
                self._until, self._refusal = until, refusal

    def close(self, refusal: ReleaseError) -> None:
        """Permits nothing any more: somebody else may write now."""
        with self._changing:
            self._until, self._refusal, self._is_final = float("-inf"), refusal, True

    def lift(self) -> None:
        """Ends every limit; call it when the lock was acquired or released."""
        with self._changing:
            self._until, self._refusal, self._is_final = None, None, False

    @property
    def is_final(self) -> bool:
        """Whether somebody else holds the environment, so that waiting does not help."""
        return self._is_final

    @property
    def seconds_left(self) -> float | None:
        """How long writing is permitted without another `extend`; None is without limit."""
        until = self._until
        return None if until is None else max(until - self._clock.now(), 0.0)

    @property
    def is_open(self) -> bool:
        """Whether writing is permitted now."""
        left = self.seconds_left
        return left is None or left > 0

    def check_holder(self) -> None:
        """Raises the reason when somebody else holds the environment; an outage of the lock is none.

        Raises:
            LockedError: The lock was lost.
        """
        if self._is_final:
            self.check()

    def check(self) -> None:
        """Raises the reason when writing is not permitted.

        Raises:
            LockedError: The lock was lost, or could not be renewed for too long.
        """
        with self._changing:
            refusal = self._refusal
            if self._until is None or self._until > self._clock.now() or refusal is None:
                return
        raise type(refusal)(refusal.problem, remedy=refusal.remedy)
