"""What runs, and what each version changed: replicas, restarts, errors and durations by image."""

from todo_dashboards.panels import REQUESTS, Dashboard, frame, graph, rate, row

HERE = 'namespace="$namespace"'
CONTAINERS = f'kube_pod_container_info{{{HERE}, container!="daprd"}}'
# Gives the requests of a pod the image of its container, which is the version.
BY_IMAGE = f"* on (namespace, pod) group_left (image) max by (namespace, pod, image) ({CONTAINERS})"


def dashboard() -> Dashboard:
    """Returns the dashboard *Rollouts*."""
    return _pods(
        _replicas(_versions(frame("rollouts", "Rollouts", "What runs, and what each version changed.")))
    )


def _versions(dashboard: Dashboard) -> Dashboard:
    requests = f"sum by (job, image) ({rate(f'http_requests_total{{{REQUESTS}}}')} {BY_IMAGE})"
    failed = rate(f'http_requests_total{{{REQUESTS}, status="5xx"}}')
    errors = f"sum by (job, image) ({failed} {BY_IMAGE})"
    buckets = rate(f"http_request_duration_seconds_bucket{{{REQUESTS}}}")
    durations = f"histogram_quantile(0.95, sum by (job, image, le) ({buckets} {BY_IMAGE}))"
    return (
        dashboard.with_row(row("Versions"))
        .with_panel(graph("Requests", "reqps", ("{{job}} {{image}}", requests)))
        .with_panel(
            graph(
                "Errors", "percentunit", ("{{job}} {{image}}", f"({errors} or 0 * {requests}) / {requests}")
            )
        )
        .with_panel(graph("Duration, 95 of 100 requests", "s", ("{{job}} {{image}}", durations)))
    )


def _replicas(dashboard: Dashboard) -> Dashboard:
    return (
        dashboard.with_row(row("Replicas"))
        .with_panel(
            graph(
                "Available and wanted",
                "short",
                ("{{deployment}}", _of_deployments("status_replicas_available")),
                ("{{deployment}} wanted", _of_deployments("spec_replicas")),
            )
        )
        .with_panel(
            graph(
                "Of the newest version",
                "short",
                ("{{deployment}}", _of_deployments("status_replicas_updated")),
            )
        )
        .with_panel(
            graph(
                "Pods by image",
                "short",
                ("{{container}} {{image}}", f"count by (container, image) ({CONTAINERS})"),
            )
        )
    )


def _pods(dashboard: Dashboard) -> Dashboard:
    restarts = f"kube_pod_container_status_restarts_total{{{HERE}}}"
    ready = f"kube_pod_container_status_ready{{{HERE}}}"
    return (
        dashboard.with_row(row("Pods"))
        .with_panel(
            graph(
                "Restarts, 15 minutes",
                "short",
                ("{{container}}", f"sum by (container) (increase({restarts}[15m]))"),
            )
        )
        .with_panel(
            graph(
                "Pods by phase", "short", ("{{phase}}", f"sum by (phase) (kube_pod_status_phase{{{HERE}}})")
            )
        )
        .with_panel(
            graph(
                "Not ready",
                "short",
                (
                    "{{container}}",
                    f"count by (container) ({ready} == 0) or 0 * count by (container) ({ready})",
                ),
            )
        )
    )


def _of_deployments(family: str) -> str:
    return f"max by (deployment) (kube_deployment_{family}{{{HERE}}})"
