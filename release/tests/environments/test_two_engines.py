"""Two engines at one environment: the one that was stopped for too long finds out, and writes nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from todo_release.adapters.kubernetes.client import Cluster
from todo_release.environments.lock import EnvironmentLock, parse_holder

from ..doubles.kubernetes_api import ApiDouble
from ..rehearsal.waiting import wait_until

PATH = "apis/coordination.k8s.io/v1/namespaces/staging/leases/release-lock"
HOLDER = """\
import sys
from pathlib import Path
from todo_release.adapters import process
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.core.fence import Fence
from todo_release.environments import lock
from todo_release.errors import LockedError

lock.RENEW_DEADLINE_SECONDS, lock.LEASE_SECONDS = 1.5, 3
fence, kubeconfig = Fence(), Path(sys.argv[1])
cluster = Cluster.connect("here", kubeconfig, fence=fence)
helm = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
with lock.EnvironmentLock(
    Cluster.connect("here", kubeconfig), "staging", holder="lid@laptop", version="1.3.0", fence=fence,
    heartbeat_seconds=0.2,
):
    try:
        process.stream(
            [sys.executable, "-c", helm], lambda line: print(line, flush=True), with_children=True,
            fence=fence,
        )
    except LockedError as error:
        print(error.problem, flush=True)
    sys.stdin.readline()  # until the heartbeat had time to see who holds the lock
    try:
        cluster.put_config_map("staging", "shop-releases", {"000001": "from the laptop"})
    except LockedError as error:
        print(error.problem, flush=True)
"""


@pytest.fixture
def kubeconfig(api: ApiDouble, tmp_path: Path) -> Path:
    """Returns the kubeconfig of the API double."""
    return api.kubeconfig(tmp_path)


def test_laptop_whose_lid_was_closed_writes_nothing_after_another_took_over(
    api: ApiDouble, kubeconfig: Path
) -> None:
    """Its Helm is dead before the other one holds the lock, and its writes are refused when it wakes up."""
    command = [sys.executable, "-c", HOLDER, str(kubeconfig)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as laptop:
        try:
            answers = _close_lid(api, kubeconfig, laptop)
        finally:
            laptop.kill()
    assert "could not be renewed" in answers[0] or "other@ci releases 1.3.1" in answers[0]
    assert "other@ci releases 1.3.1" in answers[1]
    assert not any("configmaps" in path for path in api.objects)


def _close_lid(api: ApiDouble, kubeconfig: Path, laptop: subprocess.Popen[str]) -> list[str]:
    """Stops the holder until another one has the lock; returns what the holder says afterwards."""
    assert laptop.stdout is not None
    helm = int(laptop.stdout.readline())
    first = parse_holder(api.objects[PATH])
    wait_until(lambda: parse_holder(api.objects[PATH]) != first, seconds=5)
    laptop.send_signal(signal.SIGSTOP)
    with EnvironmentLock(
        Cluster.connect("here", kubeconfig), "staging", holder="other@ci", version="1.3.1"
    ) as other:
        assert _is_dead(helm)
        seen = len(api.requests)
        laptop.send_signal(signal.SIGCONT)
        line = laptop.stdout.readline()
        wait_until(lambda: api.requests[seen:].count(PATH) >= 2, seconds=10)
        rest, _ = laptop.communicate("\n", timeout=10)
        other.ensure_held()
    return [line, *rest.splitlines()]


def _is_dead(pid: int) -> bool:
    """Returns whether a process is gone, or dead and not yet reaped by its parent, which is stopped."""
    command = ["ps", "-o", "stat=", "-p", str(pid)]
    state = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return not state or state.startswith("Z")
