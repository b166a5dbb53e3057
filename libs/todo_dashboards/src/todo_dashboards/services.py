"""Requests, errors and durations of each service, and the open streams."""

from todo_dashboards.panels import REQUESTS, Dashboard, figure, frame, graph, quantile_95, rate, row

OURS = 'namespace="$namespace", job=~"$service"'
REQUESTS_OF = f"http_requests_total{{{REQUESTS}}}"
DURATIONS = f"http_request_duration_seconds_bucket{{{REQUESTS}}}"
STREAMS_ENDED = 'sse_streams_ended_total{namespace="$namespace"}'
STREAM_LAG = 'sse_event_lag_seconds_bucket{namespace="$namespace"}'


def dashboard() -> Dashboard:
    """Returns the dashboard *Services*."""
    started = frame("services", "Services", "Requests, errors and durations of each service.")
    return _streams(_routes(_services(started)))


def _services(dashboard: Dashboard) -> Dashboard:
    requests = f"sum by (job) ({rate(REQUESTS_OF)})"
    failed = rate(f'http_requests_total{{{REQUESTS}, status="5xx"}}')
    share = f"(sum by (job) ({failed}) or 0 * {requests}) / {requests}"
    return (
        dashboard.with_row(row("All services"))
        .with_panel(graph("Requests", "reqps", ("{{job}}", requests)))
        .with_panel(
            graph("Errors", "percentunit", ("{{job}}", share), description="Requests answered with a 5xx.")
        )
        .with_panel(graph("Duration, 95 of 100 requests", "s", ("{{job}}", quantile_95("job", DURATIONS))))
        .with_panel(
            figure(
                "Error budget used, 3 days",
                "percentunit",
                "{{job}}",
                f"job:http_errors:ratio3d{{{OURS}}} / 0.001",
                description="100 % is exactly what the objective of 99.9 % allows.",
            )
        )
        .with_panel(
            figure(
                "Slower than 0.5 s, 1 hour",
                "percentunit",
                "{{job}}",
                f"job:http_slow:ratio1h{{{OURS}}}",
                description="The objective allows 1 %.",
            )
        )
        .with_panel(figure("Pods that answer", "short", "{{job}}", f"sum by (job) (up{{{OURS}}})"))
    )


def _routes(dashboard: Dashboard) -> Dashboard:
    requests = f"topk(10, sum by (job, handler) ({rate(REQUESTS_OF)}))"
    refused = rate(f'http_requests_total{{{REQUESTS}, status=~"4xx|5xx"}}')
    durations = f"topk(10, {quantile_95('job, handler', DURATIONS)})"
    return (
        dashboard.with_row(row("Routes"))
        .with_panel(graph("Requests", "reqps", ("{{job}} {{handler}}", requests)))
        .with_panel(
            graph(
                "Refused and failed",
                "reqps",
                ("{{job}} {{handler}} {{status}}", f"topk(10, sum by (job, handler, status) ({refused}))"),
            )
        )
        .with_panel(graph("Duration, 95 of 100 requests", "s", ("{{job}} {{handler}}", durations)))
    )


def _streams(dashboard: Dashboard) -> Dashboard:
    return (
        dashboard.with_row(row("Streams"))
        .with_panel(
            graph("Open", "short", ("{{pod}}", 'sum by (pod) (sse_connections{namespace="$namespace"})'))
        )
        .with_panel(graph("Ended", "cps", ("{{reason}}", f"sum by (reason) ({rate(STREAMS_ENDED)})")))
        .with_panel(
            graph(
                "Age of an event that reaches a client",
                "s",
                ("{{event}}", quantile_95("event", STREAM_LAG)),
                description="95 of 100 events.",
            )
        )
    )
