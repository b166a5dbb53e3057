"""Use of CPU and memory against requests, limits and quotas; autoscalers; nodes."""

from todo_dashboards.panels import Dashboard, frame, graph, rate, row

HERE = 'namespace="$namespace"'
IDLE = rate('node_cpu_seconds_total{mode="idle"}')


def dashboard() -> Dashboard:
    """Returns the dashboard *Capacity*."""
    started = frame("capacity", "Capacity", "What is used of what was requested, and what is left.")
    return _nodes(_autoscalers(_pods(started)))


def _pods(dashboard: Dashboard) -> Dashboard:
    cpu = rate(f'container_cpu_usage_seconds_total{{{HERE}, container!=""}}')
    cpu_requested = f'kube_pod_container_resource_requests{{{HERE}, resource="cpu"}}'
    used = f'max by (pod, container) (container_memory_working_set_bytes{{{HERE}, container!=""}})'
    memory_limit = f'kube_pod_container_resource_limits{{{HERE}, resource="memory"}}'
    quota = f"max by (resource) (kube_resourcequota{{{HERE}, type="
    return (
        dashboard.with_row(row("Pods"))
        .with_panel(
            graph(
                "CPU used of requested",
                "percentunit",
                ("{{container}}", f"sum by (container) ({cpu}) / sum by (container) ({cpu_requested})"),
                description="An autoscaler keeps it near its target.",
            )
        )
        .with_panel(
            graph(
                "Memory used of limit",
                "percentunit",
                (
                    "{{container}}",
                    f"max by (container) ({used} / max by (pod, container) ({memory_limit}))",
                ),
                description="The fullest pod; at 100 % it is killed.",
            )
        )
        .with_panel(
            graph(
                "Used of the quota",
                "percentunit",
                ("{{resource}}", f'{quota}"used"}}) / {quota}"hard"}} > 0)'),
            )
        )
    )


def _autoscalers(dashboard: Dashboard) -> Dashboard:
    return (
        dashboard.with_row(row("Autoscalers"))
        .with_panel(graph("Replicas", "short", _of_autoscalers("status_current_replicas")))
        .with_panel(graph("Wanted", "short", _of_autoscalers("status_desired_replicas")))
        .with_panel(graph("Maximum", "short", _of_autoscalers("spec_max_replicas")))
    )


def _nodes(dashboard: Dashboard) -> Dashboard:
    return (
        dashboard.with_row(row("Nodes"))
        .with_panel(graph("CPU requested", "percentunit", _requested("cpu")))
        .with_panel(graph("Memory requested", "percentunit", _requested("memory")))
        .with_panel(
            graph(
                "CPU and memory used",
                "percentunit",
                ("{{instance}} CPU", f"1 - avg by (instance) ({IDLE})"),
                (
                    "{{instance}} memory",
                    "1 - min by (instance) (node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)",
                ),
            )
        )
    )


def _of_autoscalers(family: str) -> tuple[str, str]:
    selector = f"kube_horizontalpodautoscaler_{family}{{{HERE}}}"
    return "{{horizontalpodautoscaler}}", f"max by (horizontalpodautoscaler) ({selector})"


def _requested(resource: str) -> tuple[str, str]:
    requested = f'sum by (node) (kube_pod_container_resource_requests{{resource="{resource}"}})'
    allocatable = f'max by (node) (kube_node_status_allocatable{{resource="{resource}"}})'
    return "{{node}}", f"{requested} / {allocatable}"
