"""One release at a time: waiting, giving up, taking over the dead, and noticing that one was taken over."""

import pytest

from todo_release.adapters.kubernetes.client import Cluster
from todo_release.environments.lock import LEASE_SECONDS, EnvironmentLock, holder_of
from todo_release.errors import LockedError

from ..doubles.kubernetes_api import ApiDouble
from ..doubles.scripted import FakeClock

PATH = "apis/coordination.k8s.io/v1/namespaces/staging/leases/release-lock"


class BeatingClock(FakeClock):
    """While one sleeps, another holder's heart beats; after `beats` sleeps the holder lets go, or dies."""

    def __init__(self, api: ApiDouble, beats: int, *, lets_go: bool) -> None:
        """Beats of the Lease in that server."""
        super().__init__()
        self._api = api
        self._beats = beats
        self._lets_go = lets_go

    def sleep(self, seconds: float) -> None:
        """One beat a sleep."""
        super().sleep(seconds)
        if self._beats:
            self._beats -= 1
            lease = self._api.objects[PATH]
            lease["spec"]["renewTime"] = f"beat {self.seconds}"
            if not self._beats and self._lets_go:
                lease["spec"]["holderIdentity"] = ""
            self._api.put(PATH, lease)


def held_by_bob(api: ApiDouble) -> None:
    """Bob has taken the lock a moment ago."""
    notes = {"todo-release/version": "1.2.4", "todo-release/run-url": "https://ci/7"}
    spec = {
        "holderIdentity": "bob@ci/1a2b",
        "acquireTime": "2026-11-24T05:00:00.000000Z",
        "renewTime": "beat 0",
    }
    api.put(PATH, {"metadata": {"name": "release-lock", "annotations": notes}, "spec": spec})


def lock(
    cluster: Cluster, clock: FakeClock, said: list[str] | None = None, *, is_waiting: bool = True
) -> EnvironmentLock:
    """Ana's lock."""
    return EnvironmentLock(
        cluster,
        "staging",
        holder="ana@laptop",
        version="1.3.0",
        is_waiting=is_waiting,
        on_wait=(said if said is not None else []).append,
        clock=clock,
        heartbeat_seconds=0.01,
    )


def test_a_free_environment_is_taken_and_freed(cluster: Cluster, api: ApiDouble) -> None:
    """The Lease says who, what and since when; afterwards nobody holds it, and it can be taken again."""
    for _ in range(2):
        with lock(cluster, FakeClock()) as held:
            holder = holder_of(api.objects[PATH])
            assert holder is not None
            assert str(holder).startswith("ana@laptop releases 1.3.0 since 20")
            held.ensure_held()
        assert holder_of(api.objects[PATH]) is None
    assert api.objects[PATH]["spec"]["leaseTransitions"] == 1


def test_one_waits_for_a_living_holder(cluster: Cluster, api: ApiDouble) -> None:
    """However long it takes; whom one waits for is said once."""
    held_by_bob(api)
    said: list[str] = []
    clock = BeatingClock(api, 100, lets_go=True)
    with lock(cluster, clock, said):
        assert clock.seconds == 100
    assert said == ["waiting: bob@ci releases 1.2.4 since 2026-11-24T05:00:00Z (https://ci/7)"]


def test_who_does_not_wait_fails_as_soon_as_the_holder_proves_alive(cluster: Cluster, api: ApiDouble) -> None:
    """One heartbeat is proof."""
    held_by_bob(api)
    clock = BeatingClock(api, 100, lets_go=False)
    with pytest.raises(LockedError, match=r"bob@ci releases 1\.2\.4"), lock(cluster, clock, is_waiting=False):
        pytest.fail("nobody may enter")
    assert clock.seconds == 1


@pytest.mark.parametrize("is_waiting", [True, False])
def test_a_dead_holder_is_taken_over(cluster: Cluster, api: ApiDouble, is_waiting: bool) -> None:
    """Dead is who lets no heartbeat be seen for as long as the Lease promises, since the last one."""
    held_by_bob(api)
    beats = 3 if is_waiting else 0
    clock = BeatingClock(api, beats, lets_go=False)
    with lock(cluster, clock, is_waiting=is_waiting):
        assert clock.seconds == beats + LEASE_SECONDS


def test_a_holder_that_was_taken_over_notices_and_leaves_the_new_one_alone(
    cluster: Cluster, api: ApiDouble
) -> None:
    """A laptop that slept must not go on releasing, nor free what is no longer its own."""
    with lock(cluster, FakeClock()) as held:
        held_by_bob(api)
        held._thread.join(5)  # type: ignore[union-attr]  # it has ended once it has seen Bob
        with pytest.raises(LockedError, match="bob@ci"):
            held.ensure_held()
    holder = holder_of(api.objects[PATH])
    assert holder is not None
    assert holder.identity == "bob@ci/1a2b"
