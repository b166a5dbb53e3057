"""What every dashboard is made of: its frame with variables and release marks, and its panels.

A panel names a unit and asks with `$__rate_interval`, so it shows the same at every zoom. The data source is
a variable, so a dashboard can be shown with another Prometheus.
"""

import warnings
from typing import Literal

with warnings.catch_warnings():
    # The SDK asks for the second form of dashboards, which Grafana's sidecar was not seen to load.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import common, prometheus, stat, timeseries
    from grafana_foundation_sdk.builders import dashboard as builders
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import common as models
    from grafana_foundation_sdk.models import dashboard as dashboards

Dashboard = builders.Dashboard
DATASOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH = 24  # of a dashboard, in Grafana's columns
HEIGHT = 8
Unit = Literal["reqps", "cps", "percentunit", "s", "ms", "short", "bytes"]

# What a user or another program asks; not probes, scrapes and deliveries by the sidecar.
REQUESTS = 'namespace="$namespace", job=~"$service", handler!~"/healthz|/readyz|/metrics|/events/.*|/dapr/.*"'


def frame(uid: str, title: str, description: str) -> Dashboard:
    """Returns an empty dashboard with the variables `datasource`, `namespace` and `service`."""
    return (
        builders.Dashboard(title)
        .uid(f"todo-{uid}")
        .description(description)
        .tags(["todo"])
        .readonly()
        .time("now-3h", "now")
        .refresh("30s")
        .tooltip(dashboards.DashboardCursorSync.CROSSHAIR)
        .with_variable(builders.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            _variable("namespace", "Environment", 'label_values(up{job="backend"}, namespace)').current(
                dashboards.VariableOption(text="production", value="production")
            )
        )
        .with_variable(
            _variable("service", "Service", 'label_values(up{namespace="$namespace", job!="daprd"}, job)')
            .multi(True)
            .include_all(True)
            .all_value(".+")
            .current(dashboards.VariableOption(text="All", value="$__all"))
        )
        .annotation(_releases())
        .link(builders.DashboardLink("Todo").type(dashboards.DashboardLinkType.DASHBOARDS).tags(["todo"]))
    )


def rate(selector: str) -> str:
    """Returns the rate of the counters of a selector, per second."""
    return f"rate({selector}[$__rate_interval])"


def quantile_95(labels: str, buckets: str) -> str:
    """Returns the value below which 95 of 100 observations of a histogram are, by `labels`."""
    return f"histogram_quantile(0.95, sum by ({labels}, le) ({rate(buckets)}))"


def graph(title: str, unit: Unit, *queries: tuple[str, str], description: str = "") -> timeseries.Panel:
    """Returns a third of a row with a line for each series; `queries` are legends and their expressions."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .min(0)
        .span(WIDTH // 3)
        .height(HEIGHT)
        .legend(common.VizLegendOptions().show_legend(True).placement(models.LegendPlacement.BOTTOM))
    )
    for number, (legend, expression) in enumerate(queries):
        panel = panel.with_target(_query(expression, legend, chr(ord("A") + number)))
    return panel


def figure(title: str, unit: Unit, legend: str, expression: str, *, description: str = "") -> stat.Panel:
    """Returns a third of a row with the newest value of each series."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(WIDTH // 3)
        .height(HEIGHT // 2)
        .with_target(_query(expression, legend, "A"))
    )


def row(title: str) -> builders.Row:
    """Returns the heading of a group of panels."""
    return builders.Row(title)


def to_json(dashboard: Dashboard) -> str:
    """Returns a dashboard as it is committed."""
    return JSONEncoder(sort_keys=True, indent=2).encode(dashboard.build()) + "\n"


def _query(expression: str, legend: str, name: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(name).datasource(DATASOURCE)


def _variable(name: str, label: str, query: str) -> builders.QueryVariable:
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": name})
        .definition(query)
        .refresh(dashboards.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboards.VariableSort.ALPHABETICAL_ASC)
    )


def _releases() -> builders.AnnotationQuery:
    """Returns a mark at each minute in which an image runs that did not run in the minute before.

    It asks for a metric, so the marks stay as long as Prometheus' samples and survive Grafana's database.
    """
    images = (
        'count by (container, image) (kube_pod_container_info{namespace="$namespace", container!="daprd"})'
    )
    before = images.replace("})", "} offset 1m)")
    return (
        builders.AnnotationQuery()
        .name("Releases")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color("purple")
        .expr(f"{images} unless {before}")
        .step("60s")
        .title_format("New version of {{container}}")
        .text_format("{{image}}")
    )
