"""One release at a time in an environment: a Kubernetes Lease that says who, since when and where to look.

Helm has a lock of its own, without owner or end: whoever dies leaves it closed. This one has a heartbeat. A
holder is dead when nobody has seen its heartbeat move for as long as the Lease promises; only the watcher's
steady clock counts, so machines whose clocks disagree cannot rob each other (client-go's leader election
decides the same way).
"""

import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol, Self

from todo_release.adapters.kubernetes.client import ConflictError, namespaced
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.core.clock import Clock, SystemClock
from todo_release.errors import ClusterError, LockedError

NAME = "release-lock"
LEASE_SECONDS = 15
HEARTBEAT_SECONDS = 4.0
LOOK_SECONDS = 1.0
VERSION, RUN_URL = "todo-release/version", "todo-release/run-url"


class Objects(Protocol):
    """What the lock needs of a cluster (`todo_release.adapters.kubernetes.client.Cluster`)."""

    def read(self, path: str) -> Any:
        """An object, None when it is not there."""

    def create(self, path: str, body: JsonObject) -> Any:
        """Make an object; ConflictError when it is there."""

    def replace(self, path: str, body: JsonObject) -> Any:
        """Replace an object as it was read; ConflictError when somebody was faster."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock: `identity` is unique to one run, the rest is for people."""

    identity: str
    version: str
    run_url: str
    since: str
    beat: str

    def __str__(self) -> str:
        """`ana@laptop releases 1.3.0 since 2026-11-24T05:00:00Z (https://ci/run/7)`."""
        where = f" ({self.run_url})" if self.run_url else ""
        return f"{self.identity.rpartition('/')[0]} releases {self.version} since {self.since[:19]}Z{where}"


class EnvironmentLock:
    """Holds one environment while the block runs."""

    def __init__(
        self,
        cluster: Objects,
        namespace: str,
        *,
        holder: str,
        version: str,
        url: str | None = None,
        is_waiting: bool = True,
        on_wait: Callable[[str], None] | None = None,
        clock: Clock | None = None,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        """`is_waiting` False gives up once the holder proves alive; `on_wait` hears whom one waits for."""
        self._cluster = cluster
        self._collection = namespaced("apis/coordination.k8s.io/v1", "leases", namespace)
        self._namespace = namespace
        self._identity = f"{holder}/{secrets.token_hex(4)}"
        self._notes = {VERSION: version, RUN_URL: url or ""}
        self._is_waiting = is_waiting
        self._on_wait = on_wait or (lambda _text: None)
        self._clock = clock or SystemClock()
        self._heartbeat_seconds = heartbeat_seconds
        self._is_over = threading.Event()
        self._thief: Holder | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Wait until the environment is free or its holder is dead, and take it.

        Raises:
            LockedError: somebody lives and holds it, and this lock does not wait.
            ClusterError: the API server was not reachable or refused.
        """
        watched: Holder | None = None
        watched_since = self._clock.now()
        while True:
            lease = self._read()
            holder = holder_of(lease)
            if holder is None or (
                watched and holder.beat == watched.beat and self._clock.now() - watched_since >= LEASE_SECONDS
            ):
                if self._take(lease):
                    break
                continue
            if watched is None or holder.identity != watched.identity:
                self._on_wait(f"waiting: {holder}")
            elif holder.beat != watched.beat and not self._is_waiting:
                raise self._locked(holder)
            if watched is None or holder.beat != watched.beat:
                watched, watched_since = holder, self._clock.now()
            self._clock.sleep(LOOK_SECONDS)
        self._thread = threading.Thread(target=self._keep, name="lock-heartbeat", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free the environment, unless it was taken over meanwhile."""
        self._is_over.set()
        if self._thread:
            self._thread.join()
        with suppress(ClusterError):  # not freed, it counts as dead after LEASE_SECONDS
            lease = self._read()
            holder = holder_of(lease)
            if holder and holder.identity == self._identity:
                lease["spec"]["holderIdentity"] = ""
                self._replace(lease)

    def ensure_held(self) -> None:
        """Refuse to go on after the lock was lost: this machine slept, or could not reach the cluster for too
        long.

        Raises:
            LockedError: somebody else has taken it over.
        """
        if self._thief:
            raise self._locked(self._thief)

    def _keep(self) -> None:
        """Renew the Lease until the block ends or somebody else holds it."""
        while not self._is_over.wait(self._heartbeat_seconds):
            try:
                lease = self._read()
                holder = holder_of(lease)
                if holder and holder.identity == self._identity:
                    lease["spec"]["renewTime"] = instant()
                    self._replace(lease)
                else:
                    self._thief = holder or Holder("nobody", "", "", "", "")
                    return
            except ClusterError:
                continue  # the next beat tries again; others wait for LEASE_SECONDS of silence

    def _take(self, lease: Any) -> bool:
        """True when it is ours now; False when somebody was faster."""
        transitions = lease["spec"].get("leaseTransitions", 0) + 1 if lease else 0
        body = lease or {"metadata": {"name": NAME}}
        body["metadata"]["annotations"] = {**body["metadata"].get("annotations", {}), **self._notes}
        body["spec"] = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": LEASE_SECONDS,
            "acquireTime": instant(),
            "renewTime": instant(),
            "leaseTransitions": transitions,
        }
        try:
            if lease:
                self._replace(body)
            else:
                self._cluster.create(self._collection, body)
        except ConflictError:
            return False
        return True

    def _read(self) -> Any:
        return self._cluster.read(f"{self._collection}/{NAME}")

    def _replace(self, lease: JsonObject) -> None:
        self._cluster.replace(f"{self._collection}/{NAME}", lease)

    def _locked(self, holder: Holder) -> LockedError:
        return LockedError(
            f"The environment in namespace {self._namespace!r} is taken: {holder}.",
            remedy="Wait for that release to end, or stop it; a dead one is taken over by itself.",
        )


def holder_of(lease: Any) -> Holder | None:
    """Who holds a Lease that was read; None when nobody does or there is none."""
    if lease is None or not lease["spec"].get("holderIdentity"):
        return None
    notes, spec = lease["metadata"].get("annotations", {}), lease["spec"]
    return Holder(
        identity=spec["holderIdentity"],
        version=notes.get(VERSION, "something"),
        run_url=notes.get(RUN_URL, ""),
        since=spec.get("acquireTime", ""),
        beat=spec.get("renewTime", ""),
    )


def instant() -> str:
    """This moment as a Lease has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
