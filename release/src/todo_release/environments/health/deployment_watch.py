"""Watches what an environment runs: connects the sources of release.yaml with the judge."""

from collections.abc import Callable
from datetime import datetime, timedelta

from todo_release.adapters.kubernetes.manifest import namespaces_of
from todo_release.adapters.kubernetes.retry import retried
from todo_release.config.health_watch import HealthWatchSettings
from todo_release.core.clock import Clock, SystemClock
from todo_release.core.progress import ProgressCallback
from todo_release.environments.environment import EnvironmentAccess
from todo_release.environments.health.judge import HealthVerdict
from todo_release.environments.health.reader import HealthReader
from todo_release.environments.health.request_counts import RequestCounts
from todo_release.environments.health.sources import PrometheusMetrics, connect_prometheus, connect_source
from todo_release.environments.health.watch import HealthWatch
from todo_release.environments.status import RunningVersion
from todo_release.errors import HealthError

MakeTraffic = Callable[[], None]
# What a version that has run for longer did before the watch is no reason to take it back: outages of other
# things are among it.
RECENT = timedelta(hours=1)


def watch_deployment(
    access: EnvironmentAccess,
    running: RunningVersion,
    settings: HealthWatchSettings,
    *,
    minutes: float,
    now: datetime,
    make_traffic: MakeTraffic | None,
    say: ProgressCallback,
    before: RequestCounts | None = None,
    clock: Clock | None = None,
) -> tuple[HealthVerdict, float]:
    """Returns the verdict on what runs, and the seconds that it took. Changes nothing.

    `before` is what the version before answered, where the source does not know it. A deployment that is
    `RECENT` is blamed for all its answers, an older one for those from `now` on.

    Raises:
        HealthError: Helm no longer keeps the revision that runs, so new pods cannot be told from old ones.
        ClusterError: The API server refused, or was away for longer than `retry.RETRY_SECONDS`.
    """
    ticking = clock or SystemClock()
    release = access.settings.release
    deployed_at = retried(lambda: access.helm.began_at(release, running.revision))
    if deployed_at is None:
        raise HealthError(
            f"Helm does not keep revision {running.revision} of {release}, which runs in {access.name}.",
            remedy="Something else was deployed meanwhile: look with `inv status`.",
        )
    prometheus = connect_prometheus(access.cluster, settings.prometheus) if settings.prometheus else None
    source = connect_source(access.cluster, settings)
    if isinstance(source, PrometheusMetrics):
        namespaces = namespaces_of(running.manifest, access.settings.namespace)
        before = source.read_before(namespaces, deployed_at, minutes)
    reader = HealthReader(
        access.cluster,
        access.settings.namespace,
        running.manifest,
        deployed_at,
        deployed_at if now - deployed_at < RECENT else now,
        settings,
        source,
        prometheus,
        before or RequestCounts(),
    )
    watch = HealthWatch(
        settings=settings, minutes=minutes, read=reader.read, make_traffic=make_traffic, clock=ticking
    )
    began = ticking.now()
    verdict = watch.run(say)
    return verdict, ticking.now() - began
