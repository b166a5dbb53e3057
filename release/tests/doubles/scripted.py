"""Doubles of time and of a cluster, with prepared values."""

from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, WorkloadRef
from todo_release.errors import ClusterError


class FakeClock:
    """A clock that advances only in `sleep`."""

    def __init__(self) -> None:
        """Starts at zero."""
        self.seconds = 0.0

    def now(self) -> float:
        """Returns the seconds slept so far."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Advances the clock and returns at once."""
        self.seconds += seconds


class FakeCluster:
    """A cluster with prepared snapshots; the last one is repeated, and an error is raised once."""

    def __init__(
        self,
        *snapshots: NamespaceSnapshot | ClusterError,
        logs: dict[tuple[str, bool], str] | None = None,
        nodes: list[dict[str, Any]] | None = None,
    ) -> None:
        """Takes `logs` by (pod/container, previous), and the `nodes` that any query for nodes finds."""
        self._snapshots = chain(snapshots, repeat(snapshots[-1]))
        self._logs = logs or {}
        self._nodes = nodes or []

    def snapshot(self, namespace: str, refs: Sequence[WorkloadRef]) -> NamespaceSnapshot:
        """Returns the next snapshot."""
        snapshot = next(self._snapshots)
        if isinstance(snapshot, ClusterError):
            raise snapshot
        return snapshot

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Any]:
        """Returns the nodes."""
        return list(self._nodes)

    def log(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 200
    ) -> str:
        """Returns the prepared log of a container; without one it fails as for an unreachable cluster."""
        try:
            return self._logs[f"{pod}/{container}", previous]
        except KeyError:
            raise ClusterError(f"no log of {pod}/{container}", remedy="none") from None
