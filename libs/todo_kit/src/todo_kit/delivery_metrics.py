"""Prometheus metrics of the deliveries that subscriptions get; every delivery counts, repeated ones too."""

from datetime import UTC, datetime
from typing import Literal

from prometheus_client import Counter, Histogram

# handled: done, or nothing to do. dropped: the handler cannot use it. malformed: not in the topic's form.
# failed: the sidecar delivers it again.
Outcome = Literal["handled", "dropped", "malformed", "failed"]
OUTCOMES: tuple[Outcome, ...] = ("handled", "dropped", "malformed", "failed")

EVENTS = Counter("bus_events_total", "Deliveries, by outcome.", ["topic", "outcome"])
AGE = Histogram(
    "bus_event_age_seconds",
    "From the publication of an event to a delivery of it; grows while an event is delivered again.",
    ["topic"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)


def declare(topic: str) -> None:
    """Makes every series of a topic, with 0: Prometheus does not see the step from no series to 1."""
    AGE.labels(topic)
    for outcome in OUTCOMES:
        EVENTS.labels(topic, outcome)


def count(topic: str, outcome: Outcome) -> None:
    """Counts one delivery."""
    EVENTS.labels(topic, outcome).inc()


def observe_age(topic: str, published_at: datetime) -> None:
    """Notes how old a delivered event is; the clocks of two nodes may differ, so never less than 0."""
    AGE.labels(topic).observe(max(0.0, (datetime.now(UTC) - published_at).total_seconds()))
