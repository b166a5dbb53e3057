"""Events on their way: outbox, sidecar and broker, consumer."""

from todo_dashboards.panels import Dashboard, figure, frame, graph, quantile_95, rate, row

HERE = 'namespace="$namespace"'
OURS = f'{HERE}, job=~"$service"'
DELIVERED = f"dapr_component_pubsub_ingress_count{{{HERE}}}"
# daprd gave up: a drop with status "success" is one that the application asked for.
GIVEN_UP = (
    f"dapr_component_pubsub_ingress_count{{{HERE}, "
    'component="pubsub", process_status="drop", status!="success"}'
)


def dashboard() -> Dashboard:
    """Returns the dashboard *Events*."""
    started = frame("events", "Events", "Events from the change of a task to its consumers.")
    return _consumers(_sidecar(_outbox(started)))


def _outbox(dashboard: Dashboard) -> Dashboard:
    published = f"sum by (job, topic) ({rate(f'outbox_published_total{{{OURS}}}')})"
    refused = f"sum by (job, topic) ({rate(f'outbox_publish_failures_total{{{OURS}}}')})"
    return (
        dashboard.with_row(row("Outbox"))
        .with_panel(
            graph(
                "Age of the oldest event",
                "s",
                ("{{job}}", f"max by (job) (outbox_oldest_age_seconds{{{OURS}}})"),
                description="0 when none waits; from 120 s it pages.",
            )
        )
        .with_panel(graph("Waiting", "short", ("{{job}}", f"max by (job) (outbox_backlog_events{{{OURS}}})")))
        .with_panel(
            graph(
                "Published and refused",
                "cps",
                ("{{job}} {{topic}}", published),
                ("{{job}} {{topic}} refused", f"{refused} or 0 * {published}"),
            )
        )
    )


def _sidecar(dashboard: Dashboard) -> Dashboard:
    egress = rate(f"dapr_component_pubsub_egress_count{{{HERE}}}")
    latencies = f"dapr_component_pubsub_ingress_latencies_bucket{{{HERE}}}"
    return (
        dashboard.with_row(row("Sidecar and broker"))
        .with_panel(
            graph(
                "Published by daprd",
                "cps",
                ("{{app_id}} {{topic}} success={{success}}", f"sum by (app_id, topic, success) ({egress})"),
            )
        )
        .with_panel(
            graph(
                "Delivered by daprd",
                "cps",
                (
                    "{{app_id}} {{topic}} {{process_status}}",
                    f"sum by (app_id, topic, process_status) ({rate(DELIVERED)})",
                ),
            )
        )
        .with_panel(
            graph("Time of a consumer, 95 of 100", "ms", ("{{app_id}}", quantile_95("app_id", latencies)))
        )
        .with_panel(
            figure(
                "Dead letters, 1 hour",
                "short",
                "{{app_id}} {{topic}}",
                f"sum by (app_id, topic) (increase({GIVEN_UP}[1h])) "
                f"or 0 * sum by (app_id, topic) (increase({DELIVERED}[1h]))",
                description="Events that daprd gave up.",
            )
        )
    )


def _consumers(dashboard: Dashboard) -> Dashboard:
    outcomes = rate(f"bus_events_total{{{OURS}}}")
    ages = f"bus_event_age_seconds_bucket{{{OURS}}}"
    notices = rate(f"notification_notices_total{{{HERE}}}")
    return (
        dashboard.with_row(row("Consumers"))
        .with_panel(
            graph(
                "Deliveries by outcome",
                "cps",
                ("{{job}} {{topic}} {{outcome}}", f"sum by (job, topic, outcome) ({outcomes})"),
            )
        )
        .with_panel(
            graph(
                "Age of an event at its delivery",
                "s",
                ("{{job}} {{topic}}", quantile_95("job, topic", ages)),
                description="95 of 100 events; grows while an event is delivered again.",
            )
        )
        .with_panel(
            graph("Notifications", "cps", ("{{kind}} {{outcome}}", f"sum by (kind, outcome) ({notices})"))
        )
    )
