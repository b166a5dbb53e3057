"""Finds what is known to fail later, before anything is changed: broken rules, and charts of another size."""

from collections.abc import Iterator, Sequence

from todo_cluster.bootstrap import rules
from todo_cluster.bootstrap.components import ChartStep
from todo_cluster.site import Site
from todo_cluster.sizing import rendering, sizes
from todo_release.adapters.kubernetes.api_resources import NODES
from todo_release.adapters.kubernetes.manifest import RenderedManifest
from todo_release.errors import ReleaseError


def problems(site: Site, charts: Sequence[ChartStep], *, is_plan: bool) -> list[str]:
    """Returns what is wrong, in sentences; only a plan goes on when a chart cannot be fetched.

    Raises:
        ReleaseError: A chart cannot be fetched or rendered, and this is not a plan.
    """
    found = list(
        rules.expendable_priorities(item for file in site.config.manifests for item in site.objects(file))
    )
    labels = _node_labels(site)
    for step in charts:
        try:
            manifest = render(site, step)
        except ReleaseError as error:
            if not is_plan:
                raise
            site.command.reporter.show_text(f"  not checked: {error.problem.splitlines()[0]}")
            continue
        found += rules.missing_requests(step.key, manifest)
        found += rules.unknown_topologies(step.key, manifest, labels)
        found += _other_sizes(site, step, manifest)
    return found


def render(site: Site, step: ChartStep) -> RenderedManifest:
    """Returns the objects of a component's chart."""
    component = step.component
    if component.chart is None:
        return RenderedManifest(())
    values = [site.root / file for file in component.values]
    folder = site.charts.get(component.chart).folder
    return rendering.render(step.release, folder, component.namespace, values)


def _other_sizes(site: Site, step: ChartStep, manifest: RenderedManifest) -> Iterator[str]:
    """Yields where the chart's pods request something else than the sums of sizes count for the component."""
    [declared] = sizes.component_parts(site, [step.key])
    counted = sizes.request_of(declared, nodes=1)
    rendered = sizes.request_of(sizes.chart_part(site, step.key, step.component.namespace, manifest), nodes=1)
    if site.config.workloads and counted[1] != rendered[1]:
        yield (
            f"{step.key}: its chart requests {rendered[1].cpu}m and {rendered[1].memory // 2**20}Mi on one "
            f"node, but {site.config.workloads} has {counted[1].cpu}m and {counted[1].memory // 2**20}Mi for "
            "it. Correct that file, so that the sums are right."
        )


def _node_labels(site: Site) -> set[str]:
    """Returns the labels that nodes have; before there is a cluster, those of the nodes in release.yaml."""
    if site.access:
        nodes = site.cluster.items(NODES.path())
        return {label for node in nodes for label in node["metadata"].get("labels") or ()}
    return {label for group in site.release.rehearsal.nodes for label in group.labels}
