"""Reads what pods answer before a deployment replaces them, so that their failures are not the new version's.

Prometheus remembers it; pods can be asked only while they are there. The readings run beside the release,
which never waits for them.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from todo_release.config.health_watch import HealthWatchSettings
from todo_release.environments.environment import EnvironmentAccess
from todo_release.environments.health.request_counts import RequestCounts
from todo_release.environments.health.sources import PodMetrics
from todo_release.errors import ReleaseError

READ_SECONDS = 5.0  # how long a result is waited for, once it is needed

CountsByPod = Mapping[str, RequestCounts]


@dataclass(slots=True)
class TrafficBefore:
    """Two readings of each environment: the first begins to count, the second ends it.

    `settings_of` returns the settings of an environment, `connect` gives access to it.
    """

    settings_of: Callable[[str], HealthWatchSettings]
    connect: Callable[[str], EnvironmentAccess]
    _first: dict[str, "Future[CountsByPod]"] = field(default_factory=dict)
    _second: dict[str, "Future[CountsByPod]"] = field(default_factory=dict)

    def begin(self, environment: str) -> None:
        """Starts the first reading, when nothing was changed yet."""
        self._start(environment, self._first)

    def end(self, environment: str) -> None:
        """Starts the second one, right before the deployment."""
        if environment in self._first:
            self._start(environment, self._second)

    def counts(self, environment: str) -> RequestCounts:
        """Returns what the pods answered in between; nothing where one of the readings is missing."""
        first, second = (_result(readings.get(environment)) for readings in (self._first, self._second))
        added = (counts.since(first[uid]) for uid, counts in second.items() if uid in first)
        return sum(added, start=RequestCounts())

    def _start(self, environment: str, readings: "dict[str, Future[CountsByPod]]") -> None:
        settings = self.settings_of(environment)
        if settings.minutes is None or settings.source != "pods":
            return
        pool = ThreadPoolExecutor(1, thread_name_prefix="traffic-before")
        readings[environment] = pool.submit(self._read, environment, settings)
        pool.shutdown(wait=False)

    def _read(self, environment: str, settings: HealthWatchSettings) -> CountsByPod:
        try:
            access = self.connect(environment)
            snapshot = access.cluster.snapshot(access.settings.namespace, ())
        except ReleaseError:
            return {}
        pods = [pod for pod in snapshot.pods if pod.is_ready and not pod.is_terminating]
        return PodMetrics(access.cluster, settings).read(pods).by_uid


def _result(reading: "Future[CountsByPod] | None") -> CountsByPod:
    try:
        return reading.result(READ_SECONDS) if reading else {}
    except TimeoutError:
        return {}
