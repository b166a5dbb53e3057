"""The gateway's own Prometheus metrics; HTTP metrics come from todo_kit."""

from prometheus_client import Counter, Gauge, Histogram

CONNECTIONS = Gauge("sse_connections", "Open streams.")
STREAMS_ENDED = Counter("sse_streams_ended_total", "Streams ended, by reason.", ["reason"])
STREAMS_REFUSED = Counter(
    "sse_streams_refused_total", "Requests that got no stream, by HTTP status.", ["status"]
)
RESETS = Counter("sse_resets_total", "Streams that could not be resumed and began with sync.reset.")
EVENTS_RECEIVED = Counter(
    "sse_events_received_total",
    "Events from the bus: forwarded, duplicate, or answered with a reset because an earlier one is missing.",
    ["event", "outcome"],
)
EVENTS_DELIVERED = Counter("sse_events_delivered_total", "Events handed to open streams.", ["event"])
LAG = Histogram(
    "sse_event_lag_seconds",
    "From the publication of an event to its hand-over to the streams of its user.",
    ["event"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 30),
)
