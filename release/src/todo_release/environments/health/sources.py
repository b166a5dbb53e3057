"""Reads what pods have answered: from each pod through the Kubernetes API, or from Prometheus."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from todo_release.adapters import metrics
from todo_release.adapters.kubernetes.api_resources import PODS, SERVICES
from todo_release.adapters.metrics import MetricsUnavailableError, Prometheus
from todo_release.config.health_watch import HealthWatchSettings, PrometheusSettings
from todo_release.environments.health.request_counts import (
    BucketMissingError,
    RequestCounts,
    count_requests,
)
from todo_release.errors import ClusterError

if TYPE_CHECKING:
    from todo_release.adapters.kubernetes.client import Cluster
    from todo_release.adapters.kubernetes.objects import Pod

PARALLEL_READS = 6
SHOWN_PROBLEMS = 2


@dataclass(frozen=True, slots=True)
class PodCounts:
    """The counts of pods by uid, and why those of others could not be read."""

    by_uid: Mapping[str, RequestCounts] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


class RequestSource(Protocol):
    """Reads counters as they are, which only grow."""

    def read(self, pods: Sequence["Pod"]) -> PodCounts:
        """Returns the counts of pods; what cannot be read is a problem and no error."""


@dataclass(frozen=True, slots=True)
class PodMetrics:
    """Asks every pod itself; the API server passes the request on, so that no other way to it is needed."""

    cluster: "Cluster"
    settings: HealthWatchSettings

    def read(self, pods: Sequence["Pod"]) -> PodCounts:
        """See `RequestSource`; pods without the port are left out."""
        asked = [(pod, port) for pod in pods if (port := _port(pod, self.settings.pods.port)) is not None]
        if pods and not asked:
            return PodCounts(problems=(f"no container has a port {self.settings.pods.port!r}",))
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            answers = list(pool.map(lambda one: self._read_pod(*one), asked))
        counts = {
            pod.uid: answer
            for (pod, _), answer in zip(asked, answers, strict=True)
            if isinstance(answer, RequestCounts)
        }
        return PodCounts(counts, _shortened([answer for answer in answers if isinstance(answer, str)]))

    def _read_pod(self, pod: "Pod", port: int) -> RequestCounts | str:
        path = f"{PODS.path(pod.namespace)}/{pod.name}:{port}/proxy{self.settings.pods.path}"
        try:
            samples = metrics.parse_text(self.cluster.read_behind(path))
            return count_requests(samples, self.settings.requests, self.settings.latency)
        except ClusterError as error:
            return error.problem.rstrip(".")
        except (MetricsUnavailableError, BucketMissingError) as error:
            return f"pod {pod.name}: {error}"


@dataclass(frozen=True, slots=True)
class PrometheusMetrics:
    """Asks Prometheus for the counters of pods; it knows a new pod after its first scrape.

    Its series must have the labels `namespace` and `pod`, as those of the Prometheus operator do.
    """

    prometheus: Prometheus
    settings: HealthWatchSettings

    def read(self, pods: Sequence["Pod"]) -> PodCounts:
        """See `RequestSource`; a pod that was not scraped yet is left out."""
        counts: dict[str, RequestCounts] = {}
        try:
            for namespace in sorted({pod.namespace for pod in pods}):
                here = {pod.name: pod.uid for pod in pods if pod.namespace == namespace}
                names = "|".join(name.replace(".", r"\\.") for name in here)
                which = f'namespace="{namespace}",pod=~"{names}"'
                samples = self.prometheus.samples(f'{{__name__=~"{"|".join(self._names)}",{which}}}')
                for name, own in metrics.group_by_label(samples, "pod").items():
                    counts[here[name]] = count_requests(own, self.settings.requests, self.settings.latency)
        except (MetricsUnavailableError, BucketMissingError) as error:
            return PodCounts(counts, (str(error),))
        return PodCounts(counts) if counts or not pods else PodCounts({}, ("Prometheus has no such series",))

    def read_before(self, namespaces: Sequence[str], at: datetime, minutes: float) -> RequestCounts:
        """Returns what was counted in the minutes before an instant; nothing where that cannot be read."""
        total, window = RequestCounts(), f"{round(minutes * 60)}s"
        try:
            for namespace in namespaces:
                samples = [
                    sample
                    for name in self._names
                    for sample in self.prometheus.samples(
                        f'increase({name}{{namespace="{namespace}"}}[{window}])', name=name, at=at
                    )
                ]
                total += count_requests(samples, self.settings.requests, self.settings.latency)
        except (MetricsUnavailableError, BucketMissingError):
            return RequestCounts()
        return total

    @property
    def _names(self) -> tuple[str, ...]:
        latency = self.settings.latency
        more = (f"{latency.histogram}_bucket", f"{latency.histogram}_count") if latency else ()
        return (self.settings.requests.counter, *more)


def connect_prometheus(cluster: "Cluster", settings: PrometheusSettings) -> Prometheus:
    """Returns Prometheus as the settings reach it; nothing is sent yet."""
    if settings.url is not None:
        return Prometheus(metrics.read_url(settings.url))
    namespace, _, service = (settings.service or "").partition("/")
    return Prometheus(partial(_read_service, cluster, f"{SERVICES.path(namespace)}/{service}/proxy"))


def connect_source(cluster: "Cluster", settings: HealthWatchSettings) -> RequestSource:
    """Returns the source of counters that the settings name."""
    if settings.source == "prometheus" and settings.prometheus is not None:
        return PrometheusMetrics(connect_prometheus(cluster, settings.prometheus), settings)
    return PodMetrics(cluster, settings)


def _read_service(cluster: "Cluster", proxy: str, path: str, query: Mapping[str, str]) -> Any:
    try:
        return json.loads(cluster.read_behind(f"{proxy}/{path}", query))
    except ClusterError as error:
        raise MetricsUnavailableError(error.problem.rstrip(".")) from error
    except ValueError as error:
        raise MetricsUnavailableError(f"{proxy} answers with something else than JSON") from error


def _port(pod: "Pod", wanted: str) -> int | None:
    return next((number for name, number in pod.ports.items() if wanted in {name, str(number)}), None)


def _shortened(problems: Sequence[str]) -> tuple[str, ...]:
    more = len(problems) - SHOWN_PROBLEMS
    return (*problems[:SHOWN_PROBLEMS], *([f"and {more} more"] if more > 0 else []))
