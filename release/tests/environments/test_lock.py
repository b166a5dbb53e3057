"""Tests the lock: waiting, giving up, taking over from a dead holder, and noticing a takeover."""

import pytest

from todo_release.adapters.kubernetes.client import Cluster
from todo_release.environments.lock import LEASE_SECONDS, EnvironmentLock, parse_holder
from todo_release.errors import LockedError

from ..doubles.kubernetes_api import ApiDouble
from ..doubles.scripted import FakeClock

PATH = "apis/coordination.k8s.io/v1/namespaces/staging/leases/release-lock"


class HeartbeatClock(FakeClock):
    """Renews another holder's Lease on every sleep; after `beats` sleeps the holder releases it, or dies."""

    def __init__(self, api: ApiDouble, beats: int, *, is_released: bool) -> None:
        """Renews the Lease in a server."""
        super().__init__()
        self._api = api
        self._beats = beats
        self._is_released = is_released

    def sleep(self, seconds: float) -> None:
        """Renews the Lease once."""
        super().sleep(seconds)
        if self._beats:
            self._beats -= 1
            lease = self._api.objects[PATH]
            lease["spec"]["renewTime"] = f"beat {self.seconds}"
            if not self._beats and self._is_released:
                lease["spec"]["holderIdentity"] = ""
            self._api.put(PATH, lease)


def acquire_for_bob(api: ApiDouble) -> None:
    """Makes Bob the holder of the lock."""
    annotations = {"todo-release/version": "1.2.4", "todo-release/run-url": "https://ci/7"}
    spec = {
        "holderIdentity": "bob@ci/1a2b",
        "acquireTime": "2026-11-24T05:00:00.000000Z",
        "renewTime": "beat 0",
    }
    api.put(PATH, {"metadata": {"name": "release-lock", "annotations": annotations}, "spec": spec})


def lock(
    cluster: Cluster, clock: FakeClock, messages: list[str] | None = None, *, is_waiting: bool = True
) -> EnvironmentLock:
    """Returns Ana's lock."""
    return EnvironmentLock(
        cluster,
        "staging",
        holder="ana@laptop",
        version="1.3.0",
        is_waiting=is_waiting,
        on_wait=(messages if messages is not None else []).append,
        clock=clock,
        heartbeat_seconds=0.01,
    )


def test_free_lock_is_acquired_and_released(cluster: Cluster, api: ApiDouble) -> None:
    """The Lease names holder, version and start; afterwards nobody holds it and it can be acquired again."""
    for _ in range(2):
        with lock(cluster, FakeClock()) as held:
            holder = parse_holder(api.objects[PATH])
            assert holder is not None
            assert str(holder).startswith("ana@laptop releases 1.3.0 since 20")
            held.ensure_held()
        assert parse_holder(api.objects[PATH]) is None
    assert api.objects[PATH]["spec"]["leaseTransitions"] == 1


def test_lock_waits_for_a_living_holder(cluster: Cluster, api: ApiDouble) -> None:
    """The lock waits however long it takes, and reports the holder once."""
    acquire_for_bob(api)
    messages: list[str] = []
    clock = HeartbeatClock(api, 100, is_released=True)
    with lock(cluster, clock, messages):
        assert clock.seconds == 100
    assert messages == ["waiting: bob@ci releases 1.2.4 since 2026-11-24T05:00:00Z (https://ci/7)"]


def test_lock_that_does_not_wait_fails_when_the_holder_is_alive(cluster: Cluster, api: ApiDouble) -> None:
    """One heartbeat of the holder is enough to give up."""
    acquire_for_bob(api)
    clock = HeartbeatClock(api, 100, is_released=False)
    with pytest.raises(LockedError, match=r"bob@ci releases 1\.2\.4"), lock(cluster, clock, is_waiting=False):
        pytest.fail("the lock must not be acquired")
    assert clock.seconds == 1


@pytest.mark.parametrize("is_waiting", [True, False])
def test_lock_of_a_dead_holder_is_taken_over(cluster: Cluster, api: ApiDouble, is_waiting: bool) -> None:
    """A holder is dead when its heartbeat has not changed for as long as the Lease says."""
    acquire_for_bob(api)
    beats = 3 if is_waiting else 0
    clock = HeartbeatClock(api, beats, is_released=False)
    with lock(cluster, clock, is_waiting=is_waiting):
        assert clock.seconds == beats + LEASE_SECONDS


def test_holder_notices_a_takeover_and_does_not_release_the_new_lock(
    cluster: Cluster, api: ApiDouble
) -> None:
    """A laptop that slept does not continue its release, and does not release another run's lock."""
    with lock(cluster, FakeClock()) as held:
        acquire_for_bob(api)
        held._thread.join(5)  # type: ignore[union-attr]  # it has ended once it has seen Bob
        with pytest.raises(LockedError, match="bob@ci"):
            held.ensure_held()
    holder = parse_holder(api.objects[PATH])
    assert holder is not None
    assert holder.identity == "bob@ci/1a2b"
