"""The commands that stop and start an environment, on a real API server."""

from datetime import UTC, datetime, timedelta

import pytest

from todo_cluster.sleep import run
from todo_release.adapters.kubernetes.sleep import REMEMBERED
from todo_release.errors import ConfigError, LockedError

from ..sample_application import SampleApplication

DEPLOYMENTS = "apis/apps/v1 deployments"


@pytest.fixture
def released(deployed: SampleApplication) -> SampleApplication:
    """The application with the annotation by which Helm marks what it owns."""
    for name in ("web", "worker", "other"):
        deployed.environment().cluster.patch(
            f"apis/apps/v1/namespaces/{deployed.namespaces[0]}/deployments/{name}",
            {"metadata": {"annotations": {"meta.helm.sh/release-name": "sample"}}},
            manager="helm",
        )
    return deployed


def replicas(sample: SampleApplication) -> dict[str, int]:
    """Returns the replicas of each Deployment."""
    items = sample.read(DEPLOYMENTS)["items"]
    return {item["metadata"]["name"]: item["spec"]["replicas"] for item in items}


def hold_lock(sample: SampleApplication, age: timedelta) -> None:
    """Makes the Lease of a release that was renewed so long ago."""
    renewed_at = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "release-lock"},
        "spec": {"holderIdentity": "ana@laptop/1", "leaseDurationSeconds": 120, "renewTime": renewed_at},
    }
    sample.environment().cluster.apply(lease, sample.namespaces[0], manager="release")


def test_environment_sleeps_and_wakes(
    released: SampleApplication, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second call of each says that there is nothing to do."""
    assert run.sleep(released.root, released.options, "staging") == 0
    assert replicas(released) == {"web": 0, "worker": 0, "other": 0}
    assert run.sleep(released.root, released.options, "staging") == 0
    assert "sleeps already" in "".join(capsys.readouterr())
    assert run.wake(released.root, released.options, "staging") == 0
    assert replicas(released) == {"web": 2, "worker": 1, "other": 1}
    assert REMEMBERED not in released.read(f"{DEPLOYMENTS}/web")["metadata"]["annotations"]
    assert run.wake(released.root, released.options, "staging") == 0
    assert "No workload sleeps" in "".join(capsys.readouterr())


def test_environment_does_not_sleep_during_a_release(
    released: SampleApplication, capsys: pytest.CaptureFixture[str]
) -> None:
    """A release would take pods that are gone for pods that are ready."""
    hold_lock(released, timedelta(seconds=5))
    assert run.sleep(released.root, released.options, "staging") == LockedError.exit_code
    assert "ana@laptop releases to staging now" in "".join(capsys.readouterr())
    assert replicas(released)["web"] == 2


def test_lock_of_a_dead_release_does_not_keep_awake(released: SampleApplication) -> None:
    """It was not renewed for longer than it says."""
    hold_lock(released, timedelta(minutes=5))
    assert run.sleep(released.root, released.options, "staging") == 0
    assert replicas(released)["web"] == 0


def test_unknown_environment_is_refused(application: SampleApplication) -> None:
    """Before anything is asked of a cluster."""
    assert run.wake(application.root, application.options, "elsewhere") == ConfigError.exit_code
