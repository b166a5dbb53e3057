"""The backend's autoscaler under twice its target: how fast pods come and go, and that no request fails."""

import asyncio
import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kubernetes import client

from todo_synthetic_user.load.account import Account
from todo_synthetic_user.load.counts import Counts
from todo_synthetic_user.origin import Origin

from .application_load import BackgroundLoad, problems_of, production, record
from .conftest import RepositoryClone
from .engine_run import wait_until

NAMESPACE = "production"
HPA = "todo-app-backend-hpa"
REQUEST_CORES = 0.1  # values-small.yaml
CALIBRATION_RATE = 10.0
CALIBRATION_SECONDS = 20
SCALE_OUT_SECONDS = 120  # SC-005 of the plan
SCALE_IN_STABLE_SECONDS = 300  # the chart's policy: this long after the load, then one pod every two minutes
SCALE_IN_PERIOD_SECONDS = 120
SYNC_SECONDS = 30  # the autoscaler looks every 15 s, at metrics that are up to 15 s old

Measure = Callable[[str, object], None]


class ListReader:
    """Reads the list of tasks at a constant rate, whatever the answers take."""

    def __init__(self, origin: Origin, rate: float) -> None:
        """Prepares to send `rate` requests a second."""
        self.counts = Counts()
        self._origin = origin
        self._rate = rate
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Reads for the length of the block."""
        self._thread.start()
        assert self._ready.wait(60)
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join(60)

    async def _run(self) -> None:
        account = Account(self._origin, self.counts)
        try:
            await account.sign_up()
            self._ready.set()
            due = time.monotonic()
            async with asyncio.TaskGroup() as group:
                while not self._stop.is_set():
                    group.create_task(account.request("GET", "/api/todos"))
                    due += 1 / self._rate
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
        finally:
            await account.close()


def cores_used_by_backend() -> float:
    """Returns the CPU seconds that the backend's containers in production have used, by the kubelet."""
    core = client.CoreV1Api()
    [node] = [item.metadata.name for item in core.list_node().items if not is_simulated(item)]
    text = core.connect_get_node_proxy_with_path(node, "metrics/resource")
    pattern = rf'^container_cpu_usage_seconds_total{{container="backend",namespace="{NAMESPACE}",.*}} (\S+)'
    return sum(float(value) for value in re.findall(pattern, text, re.MULTILINE))


def is_simulated(node: client.V1Node) -> bool:
    """Whether a node has no kubelet."""
    return any(taint.key == "kwok.x-k8s.io/node" for taint in node.spec.taints or ())


def cost_of_a_request(origin: Origin) -> float:
    """Returns the CPU seconds that the backend needs for one request."""
    reader = ListReader(origin, CALIBRATION_RATE)
    with reader.running():
        time.sleep(15)  # the kubelet's counters are up to 15 s old
        before, requests_before = cores_used_by_backend(), reader.counts.requests
        time.sleep(CALIBRATION_SECONDS)
        after, requests_after = cores_used_by_backend(), reader.counts.requests
    return (after - before) / (requests_after - requests_before)


def backend() -> client.V1DeploymentStatus:
    """Returns the status of the backend's Deployment."""
    return client.AppsV1Api().read_namespaced_deployment("todo-app-backend", NAMESPACE).status


def autoscaler() -> client.V2HorizontalPodAutoscaler:
    """Returns the backend's autoscaler."""
    return client.AutoscalingV2Api().read_namespaced_horizontal_pod_autoscaler(HPA, NAMESPACE)


def test_twice_the_target_scales_out_within_two_minutes_and_in_by_the_policy(
    clone: RepositoryClone, first_release: str, record_property: Measure
) -> None:
    """Pods come while the load lasts and go one at a time after it, and no request fails in all that time."""
    origin = production(clone)
    bounds = autoscaler().spec
    target = bounds.metrics[0].container_resource.target.average_utilization / 100
    wait_until(lambda: backend().ready_replicas == bounds.min_replicas, timeout_seconds=600, what="calm")
    cost = cost_of_a_request(origin)
    rate = 2 * target * REQUEST_CORES * bounds.min_replicas / cost
    record_property("CPU of a request", f"{cost * 1000:.1f} ms")
    record_property("twice the target", f"{rate:.0f} requests/s")
    with BackgroundLoad(origin) as load:
        reader = ListReader(origin, rate)
        with reader.running():
            began = time.monotonic()
            wait_until(
                lambda: (autoscaler().status.desired_replicas or 0) > bounds.min_replicas,
                timeout_seconds=SCALE_OUT_SECONDS,
                what="the autoscaler wants more pods",
            )
            record_property("decided after", f"{time.monotonic() - began:.0f} s")
            wait_until(
                lambda: (backend().ready_replicas or 0) > bounds.min_replicas,
                timeout_seconds=SCALE_OUT_SECONDS,
                what="one more pod is ready",
            )
            scaled_out = time.monotonic() - began
            record_property("first pod ready after", f"{scaled_out:.0f} s")
            time.sleep(30)
            most = backend().replicas
        ended = time.monotonic()
        removals = [time_of(lambda left=left: backend().replicas <= left) for left in range(most - 1, 1, -1)]
        record_property("pods", f"{bounds.min_replicas} to {most} and back")
        record_property("removed after", ", ".join(f"{at - ended:.0f} s" for at in removals))
        wait_until(
            lambda: backend().ready_replicas == bounds.min_replicas, timeout_seconds=60, what="the old count"
        )
        time.sleep(30)  # the last pod ends
    record(load.report, record_property)
    record_property("reads", f"{reader.counts.requests}, {len(reader.counts.failures)} failed")
    assert scaled_out < SCALE_OUT_SECONDS
    assert removals[0] - ended >= SCALE_IN_STABLE_SECONDS - SYNC_SECONDS
    gaps = [later - earlier for earlier, later in itertools.pairwise(removals)]
    assert [gap for gap in gaps if gap < SCALE_IN_PERIOD_SECONDS - SYNC_SECONDS] == []
    assert reader.counts.failures == []
    assert problems_of(load.report) == []


def time_of(condition: Callable[[], bool]) -> float:
    """Returns when the condition became true."""
    limit = SCALE_IN_STABLE_SECONDS + SCALE_IN_PERIOD_SECONDS + 2 * SYNC_SECONDS
    wait_until(condition, timeout_seconds=limit, what="one pod fewer")
    return time.monotonic()
