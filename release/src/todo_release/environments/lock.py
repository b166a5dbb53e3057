"""The lock of an environment: a Kubernetes Lease that says who releases there and since when.

Helm's own lock has no owner and no expiry: a run that dies leaves the release locked. This lock has a
heartbeat. A holder is dead when its heartbeat has not changed for as long as its Lease says. Only the waiting
side's own clock counts, so machines whose clocks disagree cannot take the lock from each other (client-go's
leader election decides the same way). All times of the lock stand here:

    HEARTBEAT_SECONDS       5   between two renewals, also between two tries while the API server is away
    REQUEST_SECONDS        10   how long a request of the lock waits for its answer, after 10 to connect
    RENEW_DEADLINE_SECONDS 90   without a renewal for so long, the holder stops writing and ends its Helm
    LEASE_SECONDS         120   without a renewal for so long, another run takes the lock

An API server that is away for a minute costs no lock: 60 + 5 + 10 + 10 < 90. A holder has stopped half a
minute before anybody may take over. When the server comes back later, and nobody has taken the lock, the same
holder goes on. A run that died on this machine, in this work tree, is taken over at once (`LifeSign`).
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from todo_release.adapters.kubernetes.api_resources import LEASES
from todo_release.adapters.kubernetes.client import ApiConflictError
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.kubernetes.retry import is_transient
from todo_release.core.clock import Clock, SystemClock
from todo_release.core.fence import Fence
from todo_release.environments import life_sign
from todo_release.environments.life_sign import LifeSign
from todo_release.errors import ClusterError, LockedError

LEASE_NAME = "release-lock"
HEARTBEAT_SECONDS = 5.0
REQUEST_SECONDS = 10.0
RENEW_DEADLINE_SECONDS = 90.0
LEASE_SECONDS = 120
POLL_SECONDS = 1.0
SILENT_SECONDS = 3 * HEARTBEAT_SECONDS  # a living holder is not silent for so long
ACQUIRE_OUTAGE_SECONDS = 60.0
RELEASE_TRIES = 3
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
    from the holder's clock and are only shown or compared for equality. `lease_seconds` is how long the
    holder may be silent.
    """

    identity: str
    version: str
    run_url: str
    acquired_at: str
    renewed_at: str
    lease_seconds: float = LEASE_SECONDS

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
        fence: Fence | None = None,
        life_signs: Path | None = None,
    ) -> None:
        """Prepares the lock without acquiring it.

        Args:
            cluster: The cluster of the environment, without the `fence`.
            namespace: The environment's namespace.
            holder: Who acquires the lock, for people.
            version: The version that is released, for people.
            run_url: The page of the CI run, if there is one.
            is_waiting: False raises as soon as another holder proves to be alive.
            on_wait: Called with a sentence about the holder that is waited for.
            clock: The clock that decides when a holder is dead, and when this one gives up.
            heartbeat_seconds: Time between two renewals of the Lease.
            fence: Closed while the lock is not held for certain; all other writers ask it.
            life_signs: The folder in which runs of this work tree prove that they live.
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
        self._fence = fence or Fence(self._clock)
        self._life_signs = life_signs
        self._life_sign: LifeSign | None = None
        self._is_closed = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Waits until the lock is free or its holder is dead, then acquires it.

        Raises:
            LockedError: A living run holds the lock, and this lock does not wait.
            ClusterError: The API server refused, or was not reachable for `ACQUIRE_OUTAGE_SECONDS`.
        """
        self._life_sign = LifeSign.show(self._life_signs, self._identity)
        try:
            began = self._wait_and_acquire()
        except BaseException:
            self._hide_life_sign()
            raise
        self._fence.lift()
        self._permit_from(began)
        self._thread = threading.Thread(target=self._keep, name="lock-heartbeat", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Releases the lock, unless another run has taken it over."""
        self._is_closed.set()
        if self._thread:
            self._thread.join(2 * REQUEST_SECONDS)
        self._fence.lift()
        for _ in range(RELEASE_TRIES):  # if not released, it counts as dead after LEASE_SECONDS
            try:
                self._release()
                break
            except ClusterError:
                self._clock.sleep(POLL_SECONDS)
        self._hide_life_sign()

    def ensure_held(self) -> None:
        """Raises an error when the lock was lost, because this machine slept or could not reach the cluster.

        Raises:
            LockedError: Another run has taken the lock over, or it could not be renewed for too long.
        """
        self._fence.check()

    def _wait_and_acquire(self) -> float:
        """Returns when the lock was acquired, on the clock."""
        seen, unchanged_since, is_told = None, self._clock.now(), False
        answered_at = self._clock.now()
        while True:
            began = self._clock.now()
            try:
                lease = self._read()
                holder = parse_holder(lease)
                if self._is_free(holder, seen, began - unchanged_since):
                    if self._acquire(lease):
                        if holder and holder.identity != self._identity:
                            life_sign.forget(self._life_signs, holder.identity)
                        return began
                    continue
                answered_at = began
            except ClusterError as error:
                if not is_transient(error) or began - answered_at > ACQUIRE_OUTAGE_SECONDS:
                    raise
                # A holder cannot renew while the server is away, so that time does not count against it.
                unchanged_since = self._clock.now()
                self._clock.sleep(POLL_SECONDS)
                continue
            if seen is None or (holder and holder.identity != seen.identity):
                self._on_wait(f"waiting: {holder}")
            elif holder != seen and not self._is_waiting:
                raise self._locked(holder)
            if holder != seen:
                seen, unchanged_since, is_told = holder, self._clock.now(), False
            elif began - unchanged_since >= SILENT_SECONDS and seen and not is_told:
                is_told = True
                self._on_wait(
                    f"the holder of the lock has been silent for {SILENT_SECONDS:.0f} s; it is taken over "
                    f"after {seen.lease_seconds:.0f} s"
                )
            self._clock.sleep(POLL_SECONDS)

    def _is_free(self, holder: LockHolder | None, seen: LockHolder | None, silent_seconds: float) -> bool:
        if holder is None or holder.identity == self._identity:
            return True  # its own: the answer to an earlier try was lost
        if holder != seen:
            return False
        return silent_seconds >= holder.lease_seconds or life_sign.is_proven_dead(
            self._life_signs, holder.identity
        )

    def _keep(self) -> None:
        """Renews the Lease until the block ends or another run holds it."""
        while not self._is_closed.wait(self._heartbeat_seconds):
            began = self._clock.now()
            try:
                lease = self._read()
                holder = parse_holder(lease)
                if holder is None or holder.identity != self._identity:
                    if not self._is_closed.is_set():
                        self._fence.close(self._locked(holder))
                    return
                lease["spec"]["renewTime"] = lease_timestamp()
                self._replace(lease)
            except ClusterError:
                continue  # the next heartbeat tries again; the fence closes by itself after the deadline
            self._permit_from(began)

    def _permit_from(self, renewed_at: float) -> None:
        self._fence.extend(
            renewed_at + RENEW_DEADLINE_SECONDS,
            LockedError(
                f"The lock of namespace {self._namespace!r} could not be renewed for "
                f"{RENEW_DEADLINE_SECONDS:.0f} s: the API server was away, or this machine slept.",
                remedy="Check the network and `inv status`, then run the same command again.",
            ),
        )

    def _release(self) -> None:
        lease = self._read()
        holder = parse_holder(lease)
        if holder and holder.identity == self._identity:
            lease["spec"]["holderIdentity"] = ""
            self._replace(lease)

    def _hide_life_sign(self) -> None:
        if self._life_sign:
            self._life_sign.hide()

    def _acquire(self, lease: Any) -> bool:
        """Returns True when this run holds the lock now, False when another run was faster."""
        transitions = ((lease.get("spec") or {}).get("leaseTransitions") or 0) + 1 if lease else 0
        body = lease or {"metadata": {"name": LEASE_NAME}}
        body["metadata"]["annotations"] = {
            **(body["metadata"].get("annotations") or {}),
            **self._annotations,
        }
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

    def _locked(self, holder: LockHolder | None) -> LockedError:
        if holder is None:
            return LockedError(
                f"The lock of namespace {self._namespace!r} was taken from this run: somebody released it.",
                remedy="Check `inv status`, then run the same command again.",
            )
        return LockedError(
            f"The environment in namespace {self._namespace!r} is locked: {holder}.",
            remedy="Wait for that release to end, or stop it; the lock of a dead run expires by itself.",
        )


def parse_holder(lease: Any) -> LockHolder | None:
    """Returns the holder of a Lease as it was read; None when nobody holds it or it does not exist."""
    spec = (lease or {}).get("spec") or {}
    if not spec.get("holderIdentity"):
        return None
    annotations = lease["metadata"].get("annotations") or {}
    return LockHolder(
        identity=spec["holderIdentity"],
        version=annotations.get(VERSION, "something"),
        run_url=annotations.get(RUN_URL, ""),
        acquired_at=spec.get("acquireTime") or "",
        renewed_at=spec.get("renewTime") or "",
        lease_seconds=spec.get("leaseDurationSeconds") or LEASE_SECONDS,
    )


def lease_timestamp() -> str:
    """Returns the current time in the format of a Lease (MicroTime)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
