"""The service's own Prometheus metrics; HTTP and outbox metrics come from todo_kit."""

from prometheus_client import Counter

NOTICES = Counter(
    "notification_notices_total", "Notifications by kind: stored, or a repeated event.", ["kind", "outcome"]
)
