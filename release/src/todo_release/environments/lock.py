"""The lock of an environment: a Kubernetes Lease that says who releases there and since when.

Helm's own lock has no owner and no expiry: a run that dies leaves the release locked. This lock has a
heartbeat. A holder is dead when its heartbeat has not changed for as long as the Lease says. Only the waiting
side's monotonic clock counts, so machines whose clocks disagree cannot take the lock from each other
(client-go's leader election decides the same way).
"""

import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol, Self

from todo_release.adapters.kubernetes.api_resources import LEASES
from todo_release.adapters.kubernetes.client import ApiConflictError
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.core.clock import Clock, SystemClock
from todo_release.errors import ClusterError, LockedError

LEASE_NAME = "release-lock"
LEASE_SECONDS = 15
HEARTBEAT_SECONDS = 4.0
POLL_SECONDS = 1.0
VERSION, RUN_URL = "todo-release/version", "todo-release/run-url"


class LeaseClient(Protocol):
    """What the lock needs of a cluster (`todo_release.adapters.kubernetes.client.Cluster`)."""

    def read(self, path: str) -> Any:
        """Returns an object; None when it does not exist."""

    def create(self, path: str, body: JsonObject) -> Any:
        """Creates an object; raises ApiConflictError when it exists."""

    def replace(self, path: str, body: JsonObject) -> Any:
        """Replaces an object as it was read; raises ApiConflictError when it changed since."""


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds the lock.

    `identity` is unique to one run. `acquired_at` and `renewed_at` are the Lease's times as text; they come
    from the holder's clock and are only shown or compared for equality.
    """

    identity: str
    version: str
    run_url: str
    acquired_at: str
    renewed_at: str

    def __str__(self) -> str:
        """Returns `ana@laptop releases 1.3.0 since 2026-11-24T05:00:00Z (https://ci/run/7)`."""
        holder = self.identity.rpartition("/")[0]
        where = f" ({self.run_url})" if self.run_url else ""
        return f"{holder} releases {self.version} since {self.acquired_at[:19]}Z{where}"


class EnvironmentLock:
    """Holds the lock of one environment while the `with` block runs."""

    def __init__(
        self,
        cluster: LeaseClient,
        namespace: str,
        *,
        holder: str,
        version: str,
        run_url: str | None = None,
        is_waiting: bool = True,
        on_wait: Callable[[str], None] | None = None,
        clock: Clock | None = None,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        """Prepares the lock without acquiring it.

        Args:
            cluster: The cluster of the environment.
            namespace: The environment's namespace.
            holder: Who acquires the lock, for people.
            version: The version that is released, for people.
            run_url: The page of the CI run, if there is one.
            is_waiting: False raises as soon as another holder proves to be alive.
            on_wait: Called with a sentence about the holder that is waited for.
            clock: The clock that decides when a holder is dead.
            heartbeat_seconds: Time between two renewals of the Lease.
        """
        self._cluster = cluster
        self._collection = LEASES.path(namespace)
        self._namespace = namespace
        self._identity = f"{holder}/{secrets.token_hex(4)}"
        self._annotations = {VERSION: version, RUN_URL: run_url or ""}
        self._is_waiting = is_waiting
        self._on_wait = on_wait or (lambda _text: None)
        self._clock = clock or SystemClock()
        self._heartbeat_seconds = heartbeat_seconds
        self._is_closed = threading.Event()
        self._new_holder: LockHolder | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Waits until the lock is free or its holder is dead, then acquires it.

        Raises:
            LockedError: A living run holds the lock, and this lock does not wait.
            ClusterError: The API server was not reachable or refused.
        """
        last_seen: LockHolder | None = None
        unchanged_since = self._clock.now()
        while True:
            lease = self._read()
            holder = parse_holder(lease)
            if holder is None or (
                last_seen
                and holder.renewed_at == last_seen.renewed_at
                and self._clock.now() - unchanged_since >= LEASE_SECONDS
            ):
                if self._acquire(lease):
                    break
                continue
            if last_seen is None or holder.identity != last_seen.identity:
                self._on_wait(f"waiting: {holder}")
            elif holder.renewed_at != last_seen.renewed_at and not self._is_waiting:
                raise self._locked(holder)
            if last_seen is None or holder.renewed_at != last_seen.renewed_at:
                last_seen, unchanged_since = holder, self._clock.now()
            self._clock.sleep(POLL_SECONDS)
        self._thread = threading.Thread(target=self._renew, name="lock-heartbeat", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Releases the lock, unless another run has taken it over."""
        self._is_closed.set()
        if self._thread:
            self._thread.join()
        with suppress(ClusterError):  # if not released, it counts as dead after LEASE_SECONDS
            lease = self._read()
            holder = parse_holder(lease)
            if holder and holder.identity == self._identity:
                lease["spec"]["holderIdentity"] = ""
                self._replace(lease)

    def ensure_held(self) -> None:
        """Raises an error when the lock was lost, because this machine slept or could not reach the cluster.

        Raises:
            LockedError: Another run has taken the lock over.
        """
        if self._new_holder:
            raise self._locked(self._new_holder)

    def _renew(self) -> None:
        """Renews the Lease until the block ends or another run holds it."""
        while not self._is_closed.wait(self._heartbeat_seconds):
            try:
                lease = self._read()
                holder = parse_holder(lease)
                if holder and holder.identity == self._identity:
                    lease["spec"]["renewTime"] = lease_timestamp()
                    self._replace(lease)
                else:
                    self._new_holder = holder or LockHolder("nobody", "", "", "", "")
                    return
            except ClusterError:
                continue  # the next heartbeat tries again; others wait LEASE_SECONDS before they take over

    def _acquire(self, lease: Any) -> bool:
        """Returns True when this run holds the lock now, False when another run was faster."""
        transitions = lease["spec"].get("leaseTransitions", 0) + 1 if lease else 0
        body = lease or {"metadata": {"name": LEASE_NAME}}
        body["metadata"]["annotations"] = {**body["metadata"].get("annotations", {}), **self._annotations}
        body["spec"] = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": LEASE_SECONDS,
            "acquireTime": lease_timestamp(),
            "renewTime": lease_timestamp(),
            "leaseTransitions": transitions,
        }
        try:
            if lease:
                self._replace(body)
            else:
                self._cluster.create(self._collection, body)
        except ApiConflictError:
            return False
        return True

    def _read(self) -> Any:
        return self._cluster.read(f"{self._collection}/{LEASE_NAME}")

    def _replace(self, lease: JsonObject) -> None:
        self._cluster.replace(f"{self._collection}/{LEASE_NAME}", lease)

    def _locked(self, holder: LockHolder) -> LockedError:
        return LockedError(
            f"The environment in namespace {self._namespace!r} is locked: {holder}.",
            remedy="Wait for that release to end, or stop it; the lock of a dead run expires by itself.",
        )


def parse_holder(lease: Any) -> LockHolder | None:
    """Returns the holder of a Lease as it was read; None when nobody holds it or it does not exist."""
    if lease is None or not lease["spec"].get("holderIdentity"):
        return None
    annotations, spec = lease["metadata"].get("annotations", {}), lease["spec"]
    return LockHolder(
        identity=spec["holderIdentity"],
        version=annotations.get(VERSION, "something"),
        run_url=annotations.get(RUN_URL, ""),
        acquired_at=spec.get("acquireTime", ""),
        renewed_at=spec.get("renewTime", ""),
    )


def lease_timestamp() -> str:
    """Returns the current time in the format of a Lease (MicroTime)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
