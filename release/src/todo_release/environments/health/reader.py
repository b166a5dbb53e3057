"""Reads an environment for a watch: which pods are new, and what they and the others have answered since."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from todo_release.adapters.kubernetes.manifest import namespaces_of, workloads_of
from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, Pod, WorkloadRef
from todo_release.adapters.metrics import Alert, MetricsUnavailableError, Prometheus
from todo_release.config.health_watch import HealthWatchSettings
from todo_release.environments.health.reading import HealthReading, RestartedContainer
from todo_release.environments.health.request_counts import RequestCounts, RequestLedger
from todo_release.environments.health.sources import RequestSource
from todo_release.errors import ClusterError

if TYPE_CHECKING:
    from todo_release.adapters.kubernetes.client import Cluster

JOB = "Job"


@dataclass(slots=True)
class HealthReader:
    """Reads what a deployment's pods do, again and again.

    Args:
        namespace: The namespace of the release.
        manifest: What Helm has deployed.
        deployed_at: When Helm began, by the cluster's clock: a pod that was created later is new.
        blamed_from: Answers and alerts before it are no fault of the version.
        prometheus: Where alerts are read; None reads none.
        before: What the version before answered until then, as far as it is known.
    """

    cluster: "Cluster"
    namespace: str
    manifest: str
    deployed_at: datetime
    blamed_from: datetime
    settings: HealthWatchSettings
    source: RequestSource
    prometheus: Prometheus | None = None
    before: RequestCounts = field(default_factory=RequestCounts)
    _ledger: RequestLedger = field(default_factory=RequestLedger)
    _restarts: dict[tuple[str, str], int] = field(default_factory=dict)
    _is_first: bool = True

    def read(self) -> HealthReading:
        """Returns what happened since the reading before; what cannot be read is one of its problems."""
        refs = [ref for ref in workloads_of(self.manifest, self.namespace) if _is_watched(ref)]
        try:
            snapshot = self.cluster.snapshot(self.namespace, refs)
        except ClusterError as error:
            return HealthReading(new_pods=0, is_read=False, problems=(error.problem.rstrip("."),))
        new, old = self._pods(snapshot)
        counts = self.source.read([*new, *old])
        alerts, alert_problems = self._alerts()
        reading = HealthReading(
            new_pods=len(new),
            new=self._added(new, counts.by_uid, is_new=True),
            before=self.before if self._is_first else RequestCounts(),
            unchanged=self._added(old, counts.by_uid, is_new=False),
            new_restarts=self._restarted(new),
            unchanged_restarts=self._restarted(old),
            alerts=alerts,
            is_read=not new or any(pod.uid in counts.by_uid for pod in new),
            problems=(*counts.problems, *alert_problems),
        )
        self._is_first = False
        return reading

    def _pods(self, snapshot: NamespaceSnapshot) -> tuple[list[Pod], list[Pod]]:
        """Returns the pods of workloads whose template the deployment changed, and those of the others.

        A workload was changed when none of its pods is older than the deployment; an autoscaler's new pod of
        a workload that was not changed has older ones beside it.
        """
        new: list[Pod] = []
        old: list[Pod] = []
        for workload in snapshot.workloads.values():
            pods = [pod for pod in snapshot.pods_of(workload) if pod.created_at]
            is_new = all(pod.created_at and pod.created_at >= self.deployed_at for pod in pods)
            (new if is_new else old).extend(pods)
        return new, old

    def _added(
        self, pods: Sequence[Pod], counts: Mapping[str, RequestCounts], *, is_new: bool
    ) -> RequestCounts:
        added = (
            self._ledger.added(
                pod.uid,
                counts[pod.uid],
                is_new=is_new and pod.created_at is not None and pod.created_at >= self.blamed_from,
            )
            for pod in pods
            if pod.uid in counts
        )
        return sum(added, start=RequestCounts())

    def _restarted(self, pods: Iterable[Pod]) -> tuple[RestartedContainer, ...]:
        """Returns the containers that were restarted after the first reading."""
        found = []
        for pod in pods:
            for container in pod.containers:
                key = (pod.uid, container.name)
                first = self._restarts.setdefault(key, container.restarts if self._is_first else 0)
                if container.restarts > first:
                    ended = container.previous
                    ending = (ended.reason or f"exit code {ended.exit_code}") if ended else ""
                    found.append(
                        RestartedContainer(pod.name, container.name, container.restarts - first, ending)
                    )
        return tuple(found)

    def _alerts(self) -> tuple[tuple[Alert, ...], tuple[str, ...]]:
        """Returns the alerts of the namespaces with the wanted labels that the version may have caused."""
        wanted = self.settings.alerts
        if wanted is None or self.prometheus is None:
            return (), ()
        namespaces = namespaces_of(self.manifest, self.namespace)
        try:
            firing = self.prometheus.firing_alerts()
        except MetricsUnavailableError as error:
            return (), (f"alerts: {error}",)
        return tuple(
            alert
            for alert in firing
            if alert.labels.get("namespace") in namespaces
            and wanted.items() <= alert.labels.items()
            and alert.began_at >= self.blamed_from
        ), ()


def _is_watched(ref: WorkloadRef) -> bool:
    return ref.is_workload and ref.kind != JOB
