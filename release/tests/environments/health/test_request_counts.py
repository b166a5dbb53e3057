"""Answers are counted from samples: failures by status, slow ones by bucket, without excluded series."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from todo_release.adapters.metrics import MetricsUnavailableError, parse_text
from todo_release.config.health_watch import WatchedLatency, WatchedRequests
from todo_release.environments.health.request_counts import (
    BucketMissingError,
    RequestCounts,
    RequestLedger,
    count_requests,
)

REQUESTS = WatchedRequests(exclude={"handler": ("/healthz", "/metrics", "/stream*")})
LATENCY = WatchedLatency(seconds=1)


def page() -> str:
    """Returns the metrics of a program that has answered some requests, as prometheus_client shows them."""
    registry = CollectorRegistry()
    counter = Counter("http_requests", "Requests.", ["handler", "method", "status"], registry=registry)
    durations = Histogram(
        "http_request_duration_seconds", "Durations.", ["handler"], buckets=(0.1, 1), registry=registry
    )
    for handler, status, count in (
        ("/a", "2xx", 7),
        ("/a", "5xx", 2),
        ("/b", "404", 1),
        ("/healthz", "5xx", 90),
    ):
        counter.labels(handler, "GET", status).inc(count)
    for handler, seconds in (("/a", 0.01), ("/a", 0.5), ("/a", 3), ("/stream/1", 60)):
        durations.labels(handler).observe(seconds)
    return generate_latest(registry).decode()


def test_page_of_a_program_is_counted_without_excluded_series() -> None:
    """5xx are failures, 404 is none; probes and streams do not count."""
    counts = count_requests(parse_text(page()), REQUESTS, LATENCY)
    assert counts == RequestCounts(answered=10, failed=2, timed=3, slow=1)


def test_bound_without_a_bucket_is_an_error_that_names_the_buckets() -> None:
    """Of a histogram only its own upper bounds can be asked."""
    with pytest.raises(BucketMissingError, match=r"no bucket le=2; .* may be 0\.1, 1, inf"):
        count_requests(parse_text(page()), REQUESTS, WatchedLatency(seconds=2))


def test_program_without_the_counter_has_answered_nothing() -> None:
    """Other metrics alone are no answers, and no histogram is no error."""
    assert count_requests(parse_text("process_cpu_seconds_total 1\n"), REQUESTS, LATENCY) == RequestCounts()


@pytest.mark.parametrize("text", ["<html>not found</html>", "http_requests_total{ 1"])
def test_other_text_than_metrics_is_named(text: str) -> None:
    """What is no Prometheus text is a problem in one line."""
    with pytest.raises(MetricsUnavailableError, match="not the Prometheus text format"):
        parse_text(text)


def test_new_pod_counts_from_zero_and_an_old_one_from_its_first_reading() -> None:
    """No answer of a new pod is lost, and none of an old pod is counted twice."""
    ledger, first, second = RequestLedger(), RequestCounts(answered=5), RequestCounts(answered=8)
    assert ledger.added("new", first, is_new=True) == first
    assert ledger.added("old", first, is_new=False) == RequestCounts()
    for pod, is_new in (("new", True), ("old", False)):
        assert ledger.added(pod, second, is_new=is_new) == RequestCounts(answered=3)


def test_program_that_began_anew_and_fails_more_than_it_answers_counts_from_zero() -> None:
    """Its counters are not lower than before, but 8 failures of 2 answers are impossible."""
    ledger, anew = RequestLedger(), RequestCounts(answered=12, failed=8, timed=12, slow=3)
    ledger.added("pod", RequestCounts(answered=10, timed=10, slow=1), is_new=True)
    assert ledger.added("pod", anew, is_new=True) == anew


@pytest.mark.parametrize("value", ["NaN", "-1", "+Inf"])
def test_counter_that_counts_nothing_is_named(value: str) -> None:
    """The test of answers needs numbers of them."""
    with pytest.raises(MetricsUnavailableError, match=r"http_requests_total is .*, which is no count"):
        parse_counts(f'http_requests_total{{status="200"}} {value}\n')


def test_bucket_without_a_number_is_named() -> None:
    """A bound that is no number is a problem of that pod, not the end of the watch."""
    with pytest.raises(MetricsUnavailableError, match="le='much'"):
        parse_counts('http_request_duration_seconds_bucket{le="much"} 1\n')


def parse_counts(text: str) -> RequestCounts:
    """Returns the counts of a page."""
    return count_requests(parse_text(text), REQUESTS, LATENCY)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.integers(1, 60))
def test_restart_of_a_program_loses_and_invents_no_answers(steps: list[int], fewer: int) -> None:
    """The sum is what was answered, also when the counters begin anew in between."""
    ledger, added, value = RequestLedger(), RequestCounts(), 0
    for more in steps:
        value += more
        added += ledger.added("pod", RequestCounts(answered=value), is_new=True)
    assert added.answered == sum(steps)
    after_restart = max(value - fewer, 0)
    more = ledger.added("pod", RequestCounts(answered=after_restart), is_new=True).answered
    assert more == after_restart
