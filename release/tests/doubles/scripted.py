"""Stand-ins for time and for a cluster that is looked at."""

from collections.abc import Sequence
from itertools import chain, repeat

from todo_release.adapters.kubernetes.objects import Snapshot, WorkloadRef
from todo_release.errors import ClusterError


class FakeClock:
    """Time passes only by sleeping."""

    def __init__(self) -> None:
        """It is zero o'clock."""
        self.seconds = 0.0

    def now(self) -> float:
        """Seconds slept so far."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let them pass at once."""
        self.seconds += seconds


class FakeCluster:
    """Gives one prepared look after the other; the last one stays. An error in the row is raised once."""

    def __init__(
        self, *looks: Snapshot | ClusterError, logs: dict[tuple[str, bool], str] | None = None
    ) -> None:
        """`logs` by (pod/container, previous)."""
        self._looks = chain(looks, repeat(looks[-1]))
        self._logs = logs or {}

    def snapshot(self, namespace: str, refs: Sequence[WorkloadRef]) -> Snapshot:
        """The next look."""
        look = next(self._looks)
        if isinstance(look, ClusterError):
            raise look
        return look

    def log(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 200
    ) -> str:
        """What was prepared for this container; for any other it fails like a cluster that is away."""
        try:
            return self._logs[f"{pod}/{container}", previous]
        except KeyError:
            raise ClusterError(f"no log of {pod}/{container}", remedy="none") from None
