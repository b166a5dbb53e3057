"""Tests the lock: waiting, giving up, taking over from a dead holder, and noticing a takeover."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from todo_release.adapters import process
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.core.fence import Fence
from todo_release.environments import lock as locks
from todo_release.environments.lock import (
    ACQUIRE_OUTAGE_SECONDS,
    HEARTBEAT_SECONDS,
    LEASE_SECONDS,
    RENEW_DEADLINE_SECONDS,
    REQUEST_SECONDS,
    EnvironmentLock,
    parse_holder,
)
from todo_release.errors import ClusterError, LockedError

from ..doubles.kubernetes_api import ApiDouble
from ..doubles.scripted import FakeClock
from ..rehearsal.waiting import wait_until

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
    cluster: Cluster,
    clock: FakeClock,
    messages: list[str] | None = None,
    *,
    is_waiting: bool = True,
    fence: Fence | None = None,
    life_signs: Path | None = None,
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
        fence=fence,
        life_signs=life_signs,
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


def test_times_of_the_lock_fit_together() -> None:
    """An API server that is away for a minute costs no lock, and nobody takes over too early."""
    longest_request = 2 * REQUEST_SECONDS  # to connect, then to get the answer
    assert 60 + HEARTBEAT_SECONDS + longest_request < RENEW_DEADLINE_SECONDS
    assert RENEW_DEADLINE_SECONDS + longest_request < LEASE_SECONDS
    assert longest_request < RENEW_DEADLINE_SECONDS


def test_takeover_closes_the_fence_for_good(cluster: Cluster, api: ApiDouble) -> None:
    """Whoever writes for a run that lost its lock is refused, with the name of the new holder."""
    fence = Fence(FakeClock())
    with lock(cluster, FakeClock(), fence=fence) as held:
        fence.check()
        acquire_for_bob(api)
        held._thread.join(5)  # type: ignore[union-attr]  # it has ended once it has seen Bob
        assert fence.is_final
        with pytest.raises(LockedError, match="bob@ci"):
            fence.check()


def test_holder_that_slept_may_not_write_until_it_has_renewed(cluster: Cluster, api: ApiDouble) -> None:
    """After a closed lid the holder writes nothing; when nobody took the lock meanwhile, it goes on."""
    clock = FakeClock()
    fence = Fence(clock)
    api.refusal = 0
    with lock(cluster, clock, fence=fence):
        api.refusal = 503
        wait_until(lambda: fence.seconds_left == RENEW_DEADLINE_SECONDS)
        clock.seconds += RENEW_DEADLINE_SECONDS + 1
        with pytest.raises(LockedError, match="could not be renewed for 90 s"):
            fence.check()
        assert not fence.is_final
        api.refusal = 0
        wait_until(lambda: fence.is_open)
        fence.check()


@pytest.mark.parametrize("hours", [-5, 5])
def test_step_of_the_wall_clock_changes_nothing(
    cluster: Cluster, api: ApiDouble, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder whose date is wrong by hours is alive as long as it renews, and dead only by silence."""

    def wrong() -> str:
        return (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    monkeypatch.setattr(locks, "lease_timestamp", wrong)
    clock = HeartbeatClock(api, 0, is_released=False)
    with lock(cluster, FakeClock()) as first:
        renewed = parse_holder(api.objects[PATH])
        wait_until(lambda: parse_holder(api.objects[PATH]) != renewed)
        first._is_closed.set()  # as if it had been killed: it renews no more
        first._thread.join(5)  # type: ignore[union-attr]  # see above
        with lock(cluster, clock):
            assert clock.seconds == LEASE_SECONDS
    assert api.objects[PATH]["spec"]["leaseTransitions"] == 1


def test_outage_does_not_count_against_the_holder(cluster: Cluster, api: ApiDouble) -> None:
    """A holder cannot renew while the API server is away, so the wait begins anew when it is back."""
    acquire_for_bob(api)
    outage = 40

    class OutageClock(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            api.refusal = 503 if 100 <= self.seconds < 100 + outage else 0

    clock = OutageClock()
    with lock(cluster, clock):
        assert clock.seconds == pytest.approx(100 + outage + LEASE_SECONDS, abs=2)


def test_acquiring_gives_up_when_the_server_stays_away(cluster: Cluster, api: ApiDouble) -> None:
    """A server that answers with errors is asked again for a minute, and then named."""
    api.refusal = 503
    clock = FakeClock()
    with pytest.raises(ClusterError, match="503"), lock(cluster, clock):
        pytest.fail("the lock must not be acquired")
    assert clock.seconds == pytest.approx(ACQUIRE_OUTAGE_SECONDS, abs=2)


def test_own_lease_whose_answer_was_lost_is_not_waited_for(cluster: Cluster, api: ApiDouble) -> None:
    """The Lease was created, but the connection broke before the answer: the next try finds itself."""
    clock = FakeClock()
    first = lock(cluster, clock)
    acquire_for_bob(api)
    api.objects[PATH]["spec"]["holderIdentity"] = first._identity
    with first:
        assert clock.seconds == 0


def test_lock_of_a_killed_run_of_this_work_tree_is_taken_over_at_once(
    cluster: Cluster, api: ApiDouble, tmp_path: Path
) -> None:
    """The kernel drops the file lock of a run that died, so its Lease need not expire."""
    code = (
        "import sys, time; from pathlib import Path\n"
        "from todo_release.environments.life_sign import LifeSign\n"
        "sign = LifeSign.show(Path(sys.argv[1]), 'bob@ci/1a2b'); print('shown', flush=True); time.sleep(60)"
    )
    acquire_for_bob(api)
    arguments = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with (
            pytest.raises(LockedError),
            lock(cluster, HeartbeatClock(api, 5, is_released=False), is_waiting=False, life_signs=tmp_path),
        ):
            pytest.fail("its holder lives")
        other.send_signal(signal.SIGKILL)
        other.wait()
    clock = FakeClock()
    with lock(cluster, clock, life_signs=tmp_path):
        assert clock.seconds <= 1
    assert not (tmp_path / "1a2b").exists()


def test_fence_that_closes_kills_the_program_at_once() -> None:
    """Helm gets no time to write how it ended, because another run may already write."""
    fence = Fence()
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    refusal = LockedError("The lock was taken.", remedy="Wait.")
    with pytest.raises(LockedError, match="was taken"):
        process.stream([sys.executable, "-c", code], lambda _: fence.close(refusal), fence=fence)
    with pytest.raises(LockedError, match="was taken"):
        process.stream([sys.executable, "-c", "raise AssertionError"], print, fence=fence)


@pytest.mark.parametrize("lease", [{"metadata": {}}, {"metadata": {}, "spec": None}, {"spec": {}}])
def test_damaged_lease_is_free(lease: dict[str, object]) -> None:
    """A Lease without a holder belongs to nobody."""
    assert parse_holder(lease) is None
