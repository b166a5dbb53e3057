"""What readings say about a version: failing, healthy, not to blame, or nothing at all."""

from datetime import UTC, datetime

import pytest

from todo_release.adapters.metrics import Alert
from todo_release.config.health_watch import HealthWatchSettings, PrometheusSettings, WatchedLatency
from todo_release.environments.health.judge import Health, HealthJudge, HealthVerdict
from todo_release.environments.health.reading import HealthReading, RestartedContainer
from todo_release.environments.health.request_counts import RequestCounts

SETTINGS = HealthWatchSettings(
    minutes=5,
    latency=WatchedLatency(seconds=1),
    alerts={"severity": "critical"},
    prometheus=PrometheusSettings(url="http://prometheus"),
)
ALERT = Alert("HighErrorRate", {"severity": "critical"}, datetime(2026, 11, 28, tzinfo=UTC))


def judge(*readings: HealthReading) -> tuple[HealthVerdict | None, HealthJudge]:
    """Returns the first verdict of some readings, and the judge."""
    one = HealthJudge(SETTINGS)
    verdicts = [one.add(reading) for reading in readings]
    return next((verdict for verdict in verdicts if verdict), None), one


def counts(answered: int, failed: int = 0, slow: int = 0) -> RequestCounts:
    """Returns answers of which each was timed."""
    return RequestCounts(answered=answered, failed=failed, timed=answered, slow=slow)


def test_version_that_fails_requests_is_failing_at_once() -> None:
    """Two failures among three answers are enough."""
    verdict, _ = judge(HealthReading(new_pods=2, new=counts(3, failed=2)))
    assert verdict == HealthVerdict(Health.FAILING, "new pods failed 2 of 3 requests")
    assert verdict.is_failing


def test_version_that_fails_as_its_dependency_does_is_not_to_blame() -> None:
    """When the version before failed alike, something else is the cause."""
    verdict, _ = judge(HealthReading(new_pods=2, new=counts(40, failed=20), before=counts(30, failed=12)))
    assert verdict is not None
    assert verdict.health is Health.DEPENDENCY
    assert "(12 of 30)" in verdict.text


@pytest.mark.parametrize(
    "old",
    [counts(400, failed=2), counts(1, failed=1), counts(100, failed=8)],
    ids=["few failures", "too few answers", "far fewer failures than the new ones"],
)
def test_version_is_to_blame_when_the_one_before_did_not_fail_alike(old: RequestCounts) -> None:
    """Some failures of the version before excuse nothing."""
    verdict, _ = judge(HealthReading(new_pods=2, new=counts(40, failed=30), before=old))
    assert verdict is not None
    assert verdict.health is Health.FAILING


def test_unchanged_pods_that_fail_excuse_nothing() -> None:
    """They may fail because they call the new pods."""
    verdict, _ = judge(HealthReading(new_pods=2, new=counts(40, failed=20), unchanged=counts(40, failed=20)))
    assert verdict is not None
    assert verdict.health is Health.FAILING


def test_version_that_is_slow_is_failing() -> None:
    """Half of the answers above the limit reject it, although none failed."""
    verdict, _ = judge(HealthReading(new_pods=1, new=counts(20, slow=10)))
    assert verdict == HealthVerdict(Health.FAILING, "10 of 20 answers of new pods took longer than 1 s")


def test_version_that_is_slow_as_before_is_not_to_blame() -> None:
    """When the others are slow, too, going back would not help."""
    verdict, _ = judge(HealthReading(new_pods=1, new=counts(20, slow=10), before=counts(50, slow=30)))
    assert verdict is not None
    assert verdict.health is Health.DEPENDENCY


def test_restarts_of_new_pods_are_failing() -> None:
    """As many restarts as release.yaml allows not are named with pod and ending."""
    container = RestartedContainer("web-1", "web", 2, "OOMKilled")
    verdict, _ = judge(HealthReading(new_pods=1, new_restarts=(container,)))
    assert verdict == HealthVerdict(
        Health.FAILING, "containers of new pods were restarted: web of web-1 (OOMKilled)"
    )


def test_restarts_of_all_pods_are_not_the_versions() -> None:
    """A node that restarts everything is no reason to go back."""
    container = RestartedContainer("web-1", "web", 2)
    verdict, _ = judge(HealthReading(new_pods=1, new_restarts=(container,), unchanged_restarts=(container,)))
    assert verdict is not None
    assert verdict.health is Health.DEPENDENCY


def test_alert_that_began_after_the_deployment_is_failing() -> None:
    """An alert needs no counts beside it."""
    verdict, _ = judge(HealthReading(new_pods=1, alerts=(ALERT,)))
    assert verdict == HealthVerdict(
        Health.FAILING, "alerts fire that began after the deployment: HighErrorRate"
    )


def test_version_with_enough_good_answers_is_healthy() -> None:
    """Requests and durations must both be decided."""
    verdict, one = judge(HealthReading(new_pods=1, new=counts(40)))
    assert (verdict, one.is_healthy) == (None, False)
    assert one.add(HealthReading(new_pods=1, new=counts(40))) is None
    assert one.is_healthy
    assert one.final(5) == HealthVerdict(
        Health.HEALTHY, "80 answers of new pods, 0 failed, 0 of 80 slower than 1 s, 0 restarts, 0 alerts"
    )


def test_version_without_enough_answers_is_not_judged() -> None:
    """Twelve good answers prove nothing."""
    _, one = judge(HealthReading(new_pods=1, new=counts(12)))
    verdict = one.final(5)
    assert verdict.health is Health.TOO_LITTLE_TRAFFIC
    assert "65 answers without a failure would do" in verdict.text
    assert not verdict.is_failing


def test_version_whose_metrics_cannot_be_read_is_not_judged() -> None:
    """Only when no reading ever succeeded is the source away."""
    away = HealthReading(new_pods=2, is_read=False, problems=("pod web-1: it is away",))
    _, one = judge(away, away)
    assert one.final(5) == HealthVerdict(
        Health.SOURCE_AWAY, "the new pods could not be judged: pod web-1: it is away"
    )
    one.add(HealthReading(new_pods=2, new=counts(80)))
    one.add(away)
    assert one.final(5).health is Health.HEALTHY


def test_deployment_that_changed_no_pods_has_nothing_to_compare() -> None:
    """A change of a ConfigMap alone, for example."""
    _, one = judge(HealthReading(new_pods=0))
    assert one.final(5).health is Health.NOTHING_NEW


def test_failures_before_the_first_acceptance_and_after_it_reject() -> None:
    """A version that is healthy for a while and then fails is failing."""
    verdict, _ = judge(
        HealthReading(new_pods=1, new=counts(5000)), HealthReading(new_pods=1, new=counts(4, failed=3))
    )
    assert verdict is not None
    assert verdict.health is Health.FAILING
