"""Has Helm apply a change through an outage of the API server.

Helm itself gives up at the first request that is not answered. Its revision then stays `pending-*` or failed,
half applied. When the server answers again, Helm is started again, until the time is over.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from todo_release.adapters.kubernetes.retry import is_transient
from todo_release.core.clock import Clock, SystemClock
from todo_release.core.progress import ProgressCallback
from todo_release.environments.environment import EnvironmentAccess
from todo_release.environments.history import DeploymentRecord
from todo_release.errors import ClusterError, HelmError, LockedError, ReleaseError

if TYPE_CHECKING:
    from todo_release.adapters.helm.storage import Revision

PAUSE_SECONDS = 2.0
# What Helm prints when the API server, the way to it or its etcd is away (net/http, client-go, apimachinery).
OUTAGE = re.compile(
    r"connection refused|connection reset|no route to host|network is unreachable|i/o timeout"
    r"|TLS handshake timeout|client connection lost|unexpected EOF|\bEOF$|server closed|server sent GOAWAY"
    r"|etcdserver: |server is currently unable to handle|apiserver (?:is shutting down|not ready)"
    r"|too many requests|Kubernetes cluster unreachable|Client\.Timeout exceeded|rate limiter Wait",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Attempt:
    """A deployment and the number of the revision in which Helm tries it; the number grows with each try."""

    access: EnvironmentAccess
    record: DeploymentRecord

    @property
    def revision(self) -> int:
        """The revision of the last try."""
        return self.record.revision

    def begin(self) -> None:
        """Records that Helm is about to make the revision."""
        self.access.records.write(self.record)

    def again(self, newest: "Revision | None") -> None:
        """Records the next try, when Helm had made a revision before it failed."""
        if newest is not None and newest.number == self.revision:
            self.access.records.finish(
                self.revision, "failed", seconds={}, cause="the API server was away; tried again"
            )
            self.record = replace(self.record, revision=self.revision + 1)
            self.begin()


def apply_patiently(
    access: EnvironmentAccess,
    action: Callable[[], None],
    *,
    is_done: "Callable[[Revision], bool]",
    before_retry: "Callable[[Revision | None], None]" = lambda _newest: None,
    seconds: float,
    say: ProgressCallback,
    cancel: threading.Event | None = None,
    clock: Clock | None = None,
) -> None:
    """Runs Helm, and again after each outage of the API server, for at most `seconds`.

    Args:
        action: Runs Helm once.
        is_done: Says whether the newest revision is the one that `action` makes, applied: an outage may hide
            the success.
        before_retry: Called with the newest revision before Helm is started again.
        cancel: Ends the waiting.

    Raises:
        HelmError: Helm refused, or the outage lasted too long.
        LockedError: The lock was lost, or could not be renewed in time.
    """
    clock = clock or SystemClock()
    deadline = clock.now() + seconds
    while True:
        try:
            action()
        except (HelmError, LockedError) as error:
            if not _is_outage(access, error):
                raise
            say(f"{error.problem.rstrip('.')}: tried again when the API server answers", is_note=True)
            if not _wait_for_server(access, deadline, cancel or threading.Event(), clock):
                raise
        else:
            return
        newest = access.helm.newest(access.settings.release)
        if newest is not None and newest.status == "deployed" and is_done(newest):
            return
        access.helm.unlock(access.settings.release)
        before_retry(newest)


def _is_outage(access: EnvironmentAccess, error: ReleaseError) -> bool:
    if isinstance(error, LockedError):
        return not access.fence.is_final
    return bool(OUTAGE.search(error.problem))


def _wait_for_server(
    access: EnvironmentAccess, deadline: float, cancel: threading.Event, clock: Clock
) -> bool:
    """Returns True as soon as the API server answers and the lock is held, False when the time is over."""
    while not cancel.is_set() and not access.fence.is_final and clock.now() < deadline:
        clock.sleep(PAUSE_SECONDS)
        try:
            access.helm.newest(access.settings.release)
        except ClusterError as error:
            if not is_transient(error):
                return False
            continue
        if access.fence.is_open:
            return True
    return False
