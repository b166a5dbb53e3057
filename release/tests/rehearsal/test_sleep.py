"""A Helm release that is scaled to zero and back, with the real Helm, API server and autoscaler."""

import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from todo_release.adapters.helm.cli import Helm
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.sleep import put_to_sleep, wake
from todo_release.environments.drift import find_drift
from todo_release.environments.status import read_running_version

from .shared_control_plane import SharedControlPlane
from .waiting import wait_until

CHART = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web:1}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: scaled}
spec:
  selector: {matchLabels: {app: scaled}}
  template:
    metadata: {labels: {app: scaled}}
    spec: {containers: [{name: scaled, image: web:1}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: scaled}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: scaled}
  minReplicas: 2
  maxReplicas: 3
"""


class SleepingRelease:
    """The release `shop` of a chart in a namespace of its own."""

    def __init__(self, shared: SharedControlPlane, folder: Path) -> None:
        """Creates the namespace and the chart."""
        self.namespace = f"sleep-{uuid.uuid4().hex[:8]}"
        shared.plane.api.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        )
        self._chart = folder / "chart"
        (self._chart / "templates").mkdir(parents=True)
        (self._chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 0.1.0\n")
        (self._chart / "templates/all.yaml").write_text(CHART)
        self.cluster = Cluster.connect("rehearsal", shared.plane.kubeconfig)
        self._helm = Helm("rehearsal", self.namespace, shared.plane.kubeconfig, cluster=self.cluster)
        settings = SimpleNamespace(release="shop", namespace=self.namespace)
        self.access: Any = SimpleNamespace(helm=self._helm, cluster=self.cluster, settings=settings)

    def deploy(self, replicas: int) -> None:
        """Installs or upgrades the release."""
        self._helm.upgrade("shop", self._chart, overlay={"replicas": replicas}, timeout_seconds=30)

    def replicas(self) -> dict[str, int]:
        """Returns the replicas that each Deployment asks for."""
        items = self.cluster.items(f"apis/apps/v1/namespaces/{self.namespace}/deployments")
        return {item["metadata"]["name"]: item["spec"]["replicas"] for item in items}

    def scale_by_hand(self, name: str, replicas: int) -> None:
        """Scales as kubectl would."""
        path = f"apis/apps/v1/namespaces/{self.namespace}/deployments/{name}"
        self.cluster.patch(path, {"spec": {"replicas": replicas}}, manager="kubectl")

    def autoscaler_condition(self) -> dict[str, str]:
        """Returns what the autoscaler's controller says about scaling."""
        path = f"apis/autoscaling/v2/namespaces/{self.namespace}/horizontalpodautoscalers/scaled"
        conditions = (self.cluster.read(path).get("status") or {}).get("conditions") or []
        return next((each for each in conditions if each["type"] == "ScalingActive"), {})


@pytest.fixture
def release(shared: SharedControlPlane, tmp_path: Path) -> SleepingRelease:
    """The release, deployed with two replicas of `web`."""
    made = SleepingRelease(shared, tmp_path)
    made.deploy(2)
    return made


def test_release_sleeps_and_wakes_with_the_replicas_it_had(release: SleepingRelease) -> None:
    """A second call of either changes nothing; asleep, the release is not ready and has no edits by hand."""
    wait_until(lambda: release.replicas() == {"web": 2, "scaled": 2})
    assert put_to_sleep(release.cluster, release.namespace, "shop") == {
        "Deployment/scaled": 2,
        "Deployment/web": 2,
    }
    assert put_to_sleep(release.cluster, release.namespace, "shop") == {}
    assert release.replicas() == {"web": 0, "scaled": 0}
    running = read_running_version(release.access)
    assert running is not None
    assert (running.is_asleep, running.is_ready) == (True, False)
    assert find_drift(release.access) == ()
    assert wake(release.cluster, release.namespace, "shop") == {"Deployment/scaled": 2, "Deployment/web": 2}
    assert wake(release.cluster, release.namespace, "shop") == {}
    assert release.replicas() == {"web": 2, "scaled": 2}
    assert find_drift(release.access) == ()
    wait_until(lambda: bool((now := read_running_version(release.access)) and now.is_ready))


def test_autoscaler_leaves_a_sleeping_workload_alone(release: SleepingRelease) -> None:
    """Its controller says that scaling is disabled, because the target has no replicas."""
    wait_until(lambda: release.replicas()["scaled"] == 2)
    put_to_sleep(release.cluster, release.namespace, "shop")
    wait_until(lambda: release.autoscaler_condition().get("reason") == "ScalingDisabled")
    assert release.replicas()["scaled"] == 0


def test_upgrade_after_waking_sets_the_replicas_of_the_chart(release: SleepingRelease) -> None:
    """Waking leaves nothing behind that Helm could stumble on."""
    put_to_sleep(release.cluster, release.namespace, "shop")
    wake(release.cluster, release.namespace, "shop")
    release.deploy(3)
    assert release.replicas()["web"] == 3
    assert find_drift(release.access) == ()


def test_workload_that_somebody_scaled_up_keeps_what_it_has(release: SleepingRelease) -> None:
    """Waking only removes the note; the edit by hand is told as one."""
    put_to_sleep(release.cluster, release.namespace, "shop")
    release.scale_by_hand("web", 1)
    assert wake(release.cluster, release.namespace, "shop")["Deployment/web"] == 1
    assert release.replicas()["web"] == 1


def test_workloads_of_others_are_left_alone(release: SleepingRelease) -> None:
    """Only what Helm says belongs to the release is scaled."""
    assert put_to_sleep(release.cluster, release.namespace, "another") == {}
    assert release.replicas()["web"] == 2
