"""Tests the wait until Services send to new pods only."""

from typing import Any

import pytest

from todo_release.adapters.kubernetes.client import ApiRefusedError
from todo_release.adapters.kubernetes.endpoints import Endpoint, parse_endpoint_slices
from todo_release.environments.rollout.endpoints import ENDPOINTS_SECONDS, wait_for_endpoints
from todo_release.errors import ClusterError

from ...doubles.kubernetes_objects import container, deployment, pod, snapshot, stateful_set
from ...doubles.scripted import FakeClock, FakeCluster

LABELS = {"app": "web"}
NEW = pod(container(running=True, ready=True), name="web-2-a", ready=True, labels=LABELS)
OLD = pod(container(running=True, ready=True), name="web-1-a", owner="uid-web-1", ready=True, labels=LABELS)
STRANGER = pod(container(running=True), name="canary-a", owner="uid-canary", ready=True, labels={"tier": "x"})
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web, tier: x}}, spec: {containers: []}}
"""
SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: %s}
"""


class EndpointCluster(FakeCluster):
    """A cluster with prepared EndpointSlices; the last ones are repeated."""

    def __init__(self, *reads: list[dict[str, Any]] | ClusterError, pods: list[dict[str, Any]]) -> None:
        """Takes the slices of each read, and the pods."""
        super().__init__(snapshot(deployment(updated=1, available=1, total=1), pods=pods))
        self._reads = list(reads)
        self.read = 0

    def endpoints(self, namespace: str) -> tuple[Endpoint, ...]:
        """Returns the endpoints of the next read."""
        self.read += 1
        slices = self._reads.pop(0) if len(self._reads) > 1 else self._reads[0]
        if isinstance(slices, ClusterError):
            raise slices
        return parse_endpoint_slices(slices)


def endpoint_slice(*endpoints: dict[str, Any], service: str = "web") -> dict[str, Any]:
    """Returns an EndpointSlice of a Service."""
    return {"metadata": {"labels": {"kubernetes.io/service-name": service}}, "endpoints": list(endpoints)}


def endpoint(name: str, **conditions: bool) -> dict[str, Any]:
    """Returns the endpoint of a pod."""
    return {
        "addresses": ["10.0.0.1"],
        "targetRef": {"kind": "Pod", "name": name, "uid": f"uid-{name}"},
        "conditions": conditions,
    }


def wait_result(
    cluster: EndpointCluster, manifest: str = WEB + SERVICE % "{app: web}"
) -> tuple[bool, float, list[str]]:
    """Returns the result of a wait, its seconds, and the messages meanwhile."""
    clock, messages = FakeClock(), list[str]()
    is_over = wait_for_endpoints(cluster, "staging", manifest, on_wait=messages.append, clock=clock)
    return is_over, clock.seconds, messages


def test_wait_ends_although_an_old_pod_still_terminates_and_serves() -> None:
    """A Service sends nothing to a terminating pod, whatever its readiness; finishing may take it minutes."""
    terminating = {**OLD, "metadata": {**OLD["metadata"], "deletionTimestamp": "2026-11-24T05:00:00Z"}}
    slices = [
        endpoint_slice(
            endpoint("web-2-a", ready=True, serving=True, terminating=False),
            endpoint("web-1-a", ready=False, serving=True, terminating=True),
        )
    ]
    assert wait_result(EndpointCluster(slices, pods=[NEW, terminating])) == (True, 0, [])


def test_wait_goes_on_while_a_service_sends_to_an_old_pod() -> None:
    """EndpointSlices follow pods with a delay: also a pod that is gone may still be in them."""
    old = [endpoint_slice(endpoint("web-2-a", ready=True), endpoint("web-1-a", ready=True))]
    gone = [endpoint_slice(endpoint("web-2-a", ready=True), endpoint("web-0-a"))]  # not known is ready
    new = [endpoint_slice(endpoint("web-2-a", ready=True))]
    assert wait_result(EndpointCluster(old, gone, new, pods=[NEW, OLD])) == (
        True,
        2,
        [
            "Service/web still sends to old pods: web-1-a",
            "Service/web still sends to old pods: web-0-a",
        ],
    )


def test_wait_needs_a_new_pod_behind_each_service() -> None:
    """A Service without endpoints answers nobody; the slices of other Services do not count."""
    empty = [endpoint_slice(), endpoint_slice(endpoint("web-2-a", ready=True), service="other")]
    full = [endpoint_slice(endpoint("web-2-a", ready=True))]
    assert wait_result(EndpointCluster(empty, full, pods=[NEW])) == (
        True,
        1,
        ["Service/web sends to no new pod yet"],
    )


def test_wait_gives_up_after_its_deadline() -> None:
    """The smoke checks decide then."""
    is_over, seconds, _ = wait_result(EndpointCluster([endpoint_slice()], pods=[NEW]))
    assert (is_over, seconds) == (False, ENDPOINTS_SECONDS)


def test_pods_of_others_behind_a_service_are_not_waited_for() -> None:
    """A selector may be wider than the release, for example for a canary that somebody else runs."""
    slices = [endpoint_slice(endpoint("web-2-a", ready=True), endpoint("canary-a", ready=True))]
    cluster = EndpointCluster(slices, pods=[NEW, STRANGER])
    assert wait_result(cluster, WEB + SERVICE % "{tier: x}") == (True, 0, [])


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(WEB, id="no Service"),
        pytest.param(WEB + SERVICE % "null", id="a Service without a selector"),
        pytest.param(WEB + SERVICE % "{app: db}", id="a Service of pods that others make"),
        pytest.param(
            WEB.replace("Deployment", "StatefulSet").replace(
                "spec:", "spec:\n  updateStrategy: {type: OnDelete}", 1
            )
            + SERVICE % "{app: web}",
            id="pods that are replaced by hand",
        ),
        pytest.param(
            WEB.replace("Deployment", "StatefulSet").replace(
                "spec:", "spec:\n  updateStrategy: {rollingUpdate: {partition: 1}}", 1
            )
            + SERVICE % "{app: web}",
            id="pods below a partition",
        ),
    ],
)
def test_without_a_service_of_replaced_pods_nothing_is_asked(manifest: str) -> None:
    """Then readiness alone says that the rollout is over."""
    cluster = EndpointCluster([], pods=[NEW])
    assert wait_result(cluster, manifest) == (True, 0, [])
    assert cluster.read == 0


def test_headless_service_of_a_stateful_set_knows_pods_by_their_uid() -> None:
    """The new pod of a StatefulSet has the name of the old one."""
    new = pod(
        container(running=True), name="cache-0", owner="uid-cache", labels={"controller-revision-hash": "b"}
    )
    manifest = (
        (WEB + SERVICE % "{app: web}")
        .replace("Deployment", "StatefulSet")
        .replace("name: web", "name: cache")
    )
    stale = endpoint("cache-0", ready=True)
    stale["targetRef"]["uid"] = "uid-of-the-old-one"
    cluster = EndpointCluster(
        [endpoint_slice(stale, service="cache")],
        [endpoint_slice(endpoint("cache-0", ready=True), service="cache")],
        pods=[],
    )
    ready = stateful_set(update="b", current="b", updated=1)
    cluster.snapshot = lambda namespace, refs: snapshot(ready, pods=[new])  # type: ignore[method-assign]  # a double
    assert wait_result(cluster, manifest) == (True, 1, ["Service/cache still sends to old pods: cache-0"])


def test_wait_survives_a_short_outage_of_the_api_server() -> None:
    """A control plane that is upgraded must not end a release whose pods are ready."""
    away = ApiRefusedError("Away (503).", remedy="Wait.", status=503)
    new = [endpoint_slice(endpoint("web-2-a", ready=True))]
    is_over, seconds, messages = wait_result(EndpointCluster(away, away, new, pods=[NEW]))
    assert (is_over, messages) == (True, [])
    assert 0 < seconds < ENDPOINTS_SECONDS


def test_without_the_right_to_read_endpoints_old_pods_are_waited_for() -> None:
    """The reason is said; any other refusal is an error."""
    refusal = ApiRefusedError("May not list endpointslices (403).", remedy="Grant it.", status=403)
    assert wait_result(EndpointCluster(refusal, pods=[NEW])) == (
        True,
        0,
        ["May not list endpointslices (403). Old pods are waited for instead."],
    )
    broken = ApiRefusedError("Broken (500).", remedy="Wait.", status=500)
    with pytest.raises(ApiRefusedError, match="Broken"):
        wait_result(EndpointCluster(broken, pods=[NEW]))
