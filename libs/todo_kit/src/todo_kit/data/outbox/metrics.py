"""Prometheus metrics of an outbox. Gauges cover the whole table, so every replica shows the same values."""

from prometheus_client import Counter, Gauge

BACKLOG = Gauge("outbox_backlog_events", "Events that wait to be published.")
OLDEST_AGE = Gauge(
    "outbox_oldest_age_seconds", "Age of the event that has waited longest, 0 when none waits."
)
PUBLISHED = Counter("outbox_published_total", "Events this process published.", ["topic", "event_type"])
FAILED = Counter("outbox_publish_failures_total", "Attempts of this process that the bus refused.", ["topic"])
