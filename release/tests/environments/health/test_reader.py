"""A reading tells new pods from others, and counts answers, restarts and alerts of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from todo_release.adapters.kubernetes.client import ApiUnavailableError
from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, Pod, WorkloadRef
from todo_release.adapters.metrics import Prometheus
from todo_release.config.health_watch import HealthWatchSettings, PrometheusSettings
from todo_release.environments.health.reader import HealthReader
from todo_release.environments.health.request_counts import RequestCounts
from todo_release.environments.health.sources import PodCounts
from todo_release.errors import ClusterError

from ...doubles.kubernetes_objects import container, deployment, pod, replica_set, snapshot

DEPLOYED_AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
MANIFEST = "".join(
    f"---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\n" for name in ("web", "api")
)
REFS = (WorkloadRef("Deployment", "web"), WorkloadRef("Deployment", "api"))


@dataclass
class Source:
    """Returns prepared counts by name of pod."""

    counts: dict[str, RequestCounts] = field(default_factory=dict)

    def read(self, pods: Sequence[Pod]) -> PodCounts:
        """Returns the counts of the pods that have some."""
        return PodCounts({pod.uid: self.counts[pod.name] for pod in pods if pod.name in self.counts})


class Snapshots:
    """A cluster of which each reading takes the next snapshot."""

    def __init__(self, *snapshots: NamespaceSnapshot | ClusterError) -> None:
        """Takes the snapshots in order."""
        self._next = iter(snapshots)

    def snapshot(self, namespace: str, refs: Sequence[WorkloadRef]) -> NamespaceSnapshot:
        """Returns the next one."""
        following = next(self._next)
        if isinstance(following, ClusterError):
            raise following
        return following


def running(name: str, *, age_seconds: int = -10, service: str = "web", restarts: int = 0) -> dict[str, Any]:
    """Returns a pod of a service's newest ReplicaSet, by default created after the deployment."""
    last = {"exitCode": 3} if restarts else None
    status = container(service, running=True, restarts=restarts, last=last)
    made = pod(status, name=name, owner=f"uid-{service}-2", ready=True)
    created = DEPLOYED_AT - timedelta(seconds=age_seconds)
    made["metadata"]["creationTimestamp"] = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    return made


def state(*pods: dict[str, Any]) -> NamespaceSnapshot:
    """Returns a snapshot of both Deployments with these pods."""
    assert replica_set(2, name="api")["metadata"]["uid"] == "uid-api-2"
    return snapshot(deployment(name="web"), deployment(name="api"), pods=list(pods), refs=REFS)


def reader(cluster: Snapshots, source: Source, **more: Any) -> HealthReader:
    """Returns a reader of the two Deployments."""
    settings = more.pop("settings", HealthWatchSettings())
    blamed_from = more.pop("blamed_from", DEPLOYED_AT)
    return HealthReader(
        cluster,  # type: ignore[arg-type]  # a double
        "staging",
        MANIFEST,
        DEPLOYED_AT,
        blamed_from,
        settings,
        source,
        **more,
    )


def test_pods_of_changed_workloads_are_new_and_count_from_zero() -> None:
    """The other workload's pods count from the first reading on, and apart."""
    pods = (running("web-a"), running("web-b"), running("api-a", service="api", age_seconds=600))
    source = Source({name: RequestCounts(answered=10) for name in ("web-a", "web-b", "api-a")})
    one = reader(Snapshots(state(*pods), state(*pods)), source)
    first = one.read()
    assert (first.new_pods, first.new.answered, first.unchanged.answered) == (2, 20, 0)
    source.counts = {name: RequestCounts(answered=15) for name in source.counts}
    second = one.read()
    assert (second.new.answered, second.unchanged.answered) == (10, 5)


def test_deployment_that_is_old_is_blamed_only_for_what_happens_while_it_is_watched() -> None:
    """What its pods answered for days has other causes too; a pod that comes later counts from zero."""
    blamed_from = DEPLOYED_AT + timedelta(days=2)
    later = running("web-b", age_seconds=-2 * 24 * 3600)
    source = Source({"web-a": RequestCounts(answered=1000, failed=90)})
    one = reader(
        Snapshots(state(running("web-a")), state(running("web-a"), later)), source, blamed_from=blamed_from
    )
    first = one.read()
    assert (first.new_pods, first.new) == (1, RequestCounts())
    source.counts = {"web-a": RequestCounts(answered=1010, failed=91), "web-b": RequestCounts(answered=5)}
    assert one.read().new == RequestCounts(answered=15, failed=1)


def test_pod_that_an_autoscaler_adds_to_an_unchanged_workload_is_not_new() -> None:
    """Beside it there are pods that are older than the deployment."""
    pods = (running("api-a", service="api", age_seconds=600), running("api-b", service="api"))
    assert reader(Snapshots(state(*pods)), Source()).read().new_pods == 0


def test_version_before_is_part_of_the_first_reading_only() -> None:
    """Otherwise it would be counted again and again."""
    one = reader(
        Snapshots(state(running("web-a")), state(running("web-a"))), Source(), before=RequestCounts(9)
    )
    assert [one.read().before.answered, one.read().before.answered] == [9, 0]


def test_restarts_since_the_first_reading_are_named() -> None:
    """A restart while the pod started is the rollout's; a pod that comes later counts from its creation."""
    one = reader(
        Snapshots(
            state(running("web-a", restarts=1)),
            state(running("web-a", restarts=1)),
            state(running("web-a", restarts=3), running("web-b", restarts=1)),
        ),
        Source(),
    )
    assert one.read().new_restarts == one.read().new_restarts == ()
    assert [(str(found), found.restarts) for found in one.read().new_restarts] == [
        ("web of web-a (exit code 3)", 2),
        ("web of web-b (exit code 3)", 1),
    ]


def test_api_server_that_is_away_is_a_problem_of_one_reading() -> None:
    """The next reading goes on where the one before it was."""
    away = ApiUnavailableError("The Kubernetes API did not answer.", remedy="Wait.")
    source = Source({"web-a": RequestCounts(answered=4)})
    one = reader(Snapshots(away, state(running("web-a"))), source)
    first = one.read()
    assert (first.is_read, first.problems) == (False, ("The Kubernetes API did not answer",))
    assert one.read().new.answered == 4


def test_pods_whose_metrics_cannot_be_read_are_no_reading() -> None:
    """New pods are there, but nothing is known of them."""
    assert not reader(Snapshots(state(running("web-a"))), Source()).read().is_read


def test_alerts_count_when_they_are_of_the_namespace_and_began_after_the_deployment() -> None:
    """Labels and beginning decide; what fired before is not the version's."""
    firing = [
        ("New", {"namespace": "staging", "severity": "critical"}, 5),
        ("Before", {"namespace": "staging", "severity": "critical"}, -5),
        ("Harmless", {"namespace": "staging", "severity": "warning"}, 5),
        ("Elsewhere", {"namespace": "production", "severity": "critical"}, 5),
    ]
    alerts = [
        {
            "state": "firing",
            "labels": {"alertname": name, **labels},
            "activeAt": (DEPLOYED_AT + timedelta(seconds=seconds)).isoformat(),
        }
        for name, labels, seconds in firing
    ]
    settings = HealthWatchSettings(
        alerts={"severity": "critical"}, prometheus=PrometheusSettings(url="http://prometheus")
    )
    prometheus = Prometheus(lambda path, query: {"status": "success", "data": {"alerts": alerts}})
    one = reader(Snapshots(state(running("web-a"))), Source(), settings=settings, prometheus=prometheus)
    assert [alert.name for alert in one.read().alerts] == ["New"]


def test_alerts_that_cannot_be_read_are_a_problem() -> None:
    """Counters are judged without them."""
    settings = HealthWatchSettings(alerts={}, prometheus=PrometheusSettings(url="http://prometheus"))
    prometheus = Prometheus(lambda path, query: {"status": "error", "error": "starting"})
    one = reader(Snapshots(state(running("web-a"))), Source(), settings=settings, prometheus=prometheus)
    assert one.read().problems == ("alerts: Prometheus answers: starting",)
