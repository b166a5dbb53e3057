"""The service's own Prometheus metrics; HTTP and outbox metrics come from todo_kit."""

from prometheus_client import Counter

NOTICES = Counter("notification_notices_total", "Notices by kind: stored, or a repeat.", ["kind", "outcome"])
