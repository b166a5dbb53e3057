"""Inspects an environment before a release: renders the chart, reads everything in parallel, runs the checks.

Nothing is changed. What cannot be read becomes a note and not a failure; only a chart that cannot be rendered
and a cluster that cannot be reached end an inspection.
"""

import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from todo_release.adapters.kubernetes.api_resources import SECRETS
from todo_release.adapters.kubernetes.manifest import INSTALL_HOOKS, UPGRADE_HOOKS
from todo_release.config.model import Config, RegistrySettings
from todo_release.core.tables import Table
from todo_release.environments import pull_access
from todo_release.environments.environment import ReleaseContext
from todo_release.environments.history import DeploymentRecord
from todo_release.errors import ReleaseError
from todo_release.preflight import all_checks, cluster_reader, lookups, public_routes
from todo_release.preflight.checks.dapr_schema import WORDS
from todo_release.preflight.checks.images import images_of
from todo_release.preflight.finding import Finding, Severity
from todo_release.preflight.rendering import ChartRenderer, RenderedChart
from todo_release.preflight.scheduling.node_table import node_table
from todo_release.preflight.snapshot import (
    ImageLookup,
    LiveCluster,
    PreflightSnapshot,
    SiblingEnvironment,
    UnreadError,
)

PARALLEL_LOOKUPS = 8
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The result of an inspection, the worst findings first; `nodes` is None when they could not be read."""

    environment: str
    version: str
    findings: tuple[Finding, ...]
    nodes: Table | None
    skips: Mapping[str, str]
    seconds: float

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Returns the findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity is severity)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Returns what will certainly fail."""
        return self.of(Severity.ERROR)

    @property
    def verdict(self) -> str:
        """Returns one line: `production: 1 error, 2 warnings, no notes in 0.8 s`."""
        counts = [(len(self.of(severity)), severity.value) for severity in Severity]
        summary = ", ".join(f"{count or 'no'} {name}{'' if count == 1 else 's'}" for count, name in counts)
        return f"{self.environment}: {summary} in {self.seconds:.1f} s"

    def as_json(self) -> dict[str, Any]:
        """Returns the inspection for programs."""
        return {
            "environment": self.environment,
            "version": self.version,
            "verdict": self.verdict,
            "seconds": round(self.seconds, 3),
            "skipped": dict(self.skips),
            "findings": [dict(finding.as_json()) for finding in self.findings],
            "nodes": self.nodes.as_json() if self.nodes else None,
        }


Inspect = Callable[[str, str | None], Inspection]


@dataclass(frozen=True, slots=True)
class LookupSources:
    """What an inspection asks besides the cluster and git.

    `connect` reaches a registry host with credentials, or anonymously. `parse` checks the arguments of a
    task; it is None where the tasks are not known. `unreachable` collects the hosts of registries that did
    not answer, with the reason, so that each costs time only once. `real_registry` is that of real releases,
    where another one stands in for it.
    """

    connect: lookups.ConnectToHost
    parse: Callable[[Sequence[str]], str | None] | None = None
    unreachable: MutableMapping[str, str] = field(default_factory=dict)
    real_registry: RegistrySettings | None = None


def inspect(
    context: ReleaseContext,
    renderer: ChartRenderer,
    environment: str,
    skips: Mapping[str, str],
    sources: LookupSources,
) -> Inspection:
    """Inspects one environment for the version that `renderer` renders.

    Raises:
        HelmError: the chart cannot be rendered.
        ConfigError: a file of the chart is not as a release needs it.
        ClusterError: the API server was not reachable.
    """
    started = time.monotonic()
    chart = renderer.render(environment)
    snapshot = _take_snapshot(context, renderer, environment, chart, sources)
    findings = all_checks.evaluate(snapshot, skips)
    return Inspection(
        environment=environment,
        version=chart.version,
        findings=tuple(chart.positions.locate(finding, chart.manifest) for finding in findings),
        nodes=_node_table(snapshot),
        skips=skips,
        seconds=time.monotonic() - started,
    )


def _take_snapshot(
    context: ReleaseContext,
    renderer: ChartRenderer,
    environment: str,
    chart: RenderedChart,
    sources: LookupSources,
) -> PreflightSnapshot:
    config, repository = context.config, context.repository
    access = context.connect(environment)
    references = _images_to_look_up(chart)
    with ThreadPoolExecutor(PARALLEL_LOOKUPS) as pool:
        live_later = pool.submit(cluster_reader.read, access, all_checks.needs(chart.manifest), WORDS)
        records_later: Future[Sequence[DeploymentRecord]] = pool.submit(access.records.read)
        images_later: Future[Mapping[str, ImageLookup]] = pool.submit(
            lookups.images,
            access,
            config.registry,
            chart.text,
            references,
            sources.connect,
            unreachable=sources.unreachable,
        )
        addresses_later = pool.submit(lookups.addresses, _hosts_to_resolve(context, environment, chart))
        files_later = pool.submit(lookups.files, repository, config.preflight)
        siblings = pool.map(
            lambda name: _sibling(context, renderer, name),
            [name for name in config.environments if name != environment],
        )
        live = live_later.result()
        manifest = chart.manifest.with_hooks(UPGRADE_HOOKS if live.is_installed else INSTALL_HOOKS)
        return PreflightSnapshot(
            environment=environment,
            version=chart.version,
            config=config,
            manifest=manifest,
            other_hooks=[item for item in chart.manifest.objects if item not in manifest.objects],
            live=live,
            images=_result_or_none(images_later),
            anonymous_refusal=_anonymous_refusal(config, chart, live, sources),
            registry_problem=next((failure.problem for failure in renderer.registry_errors), ""),
            addresses=addresses_later.result(),
            records=_result_or_none(records_later) or (),
            siblings=[sibling for sibling in siblings if sibling is not None],
            topic_prefix=chart.topic_prefix,
            contracts=lookups.contracts(repository.root, config),
            migrations=lookups.pending_migrations(repository, config, live.running, chart.commit),
            migration_scripts=lookups.migration_scripts(repository, config, chart.commit),
            released=chart.released,
            templates=chart.templates,
            definitions=chart.definitions,
            record_bytes=chart.record_bytes,
            files=files_later.result(),
            parse=sources.parse,
            now=context.now(),
        )


def _images_to_look_up(chart: RenderedChart) -> set[str]:
    """Returns the names of all images but those that a release tags only after this inspection."""
    return {
        reference
        for _, _, reference in images_of(chart.manifest)
        if not any(
            image.is_tagged_later(reference, is_released=chart.commit is not None)
            for image in chart.released.values()
        )
    }


def _anonymous_refusal(
    config: Config, chart: RenderedChart, live: LiveCluster, sources: LookupSources
) -> str:
    """Returns why images cannot be pulled without credentials; asks only if a pull secret is missing."""
    existing = {*live.secrets, *(secret.name for secret in chart.manifest.of_kind("Secret"))}
    if SECRETS not in live.lists or pull_access.find_pull_secrets(chart.text) <= existing:
        return ""
    settings = sources.real_registry or config.registry
    return lookups.anonymous_refusal(settings, next(iter(config.images)), sources.connect)


def _hosts_to_resolve(context: ReleaseContext, environment: str, chart: RenderedChart) -> set[str]:
    """Returns the public hosts; none where smoke checks connect to another address anyway."""
    if context.config.smoke_of(environment).connect_to is not None:
        return set()
    return {host for _, _, host in public_routes.hosts(chart.manifest)}


def _sibling(context: ReleaseContext, renderer: ChartRenderer, name: str) -> SiblingEnvironment | None:
    """Returns another environment; None when it cannot be rendered, which its own inspection reports."""
    try:
        chart = renderer.render(name)
    except ReleaseError:
        return None
    return SiblingEnvironment(
        name=name,
        settings=context.config.environment(name),
        manifest=chart.manifest,
        topic_prefix=chart.topic_prefix,
    )


def _result_or_none(future: Future[_Result]) -> _Result | None:
    """Returns a result; None when the lookup failed, because the same cause is reported elsewhere."""
    try:
        return future.result()
    except ReleaseError:
        return None


def _node_table(snapshot: PreflightSnapshot) -> Table | None:
    try:
        return node_table(snapshot)
    except UnreadError:
        return None
