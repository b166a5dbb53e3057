"""Inspects an environment before a release: renders, looks at everything at the same time, and judges.

Nothing is changed. What cannot be looked at becomes a note, not a failure; only a chart that cannot be
rendered and a cluster that cannot be reached end an inspection.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from todo_release.core.tables import Table
from todo_release.environments.environment import ReleaseContext
from todo_release.environments.history import Record
from todo_release.errors import ReleaseError
from todo_release.preflight import all_checks, cluster_reader, lookups
from todo_release.preflight.checks import capacity
from todo_release.preflight.checks.dapr_schema import WORDS
from todo_release.preflight.checks.images import images_of
from todo_release.preflight.finding import Finding, Severity
from todo_release.preflight.rendering import Draft, Drafter
from todo_release.preflight.snapshot import ImageLookup, PreflightSnapshot, Sibling, UnreadError

PARALLEL_LOOKS = 8
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What an inspection found, the worst first; `nodes` is None when the nodes could not be seen."""

    environment: str
    version: str
    findings: tuple[Finding, ...]
    nodes: Table | None
    skips: Mapping[str, str]
    seconds: float

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity is severity)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What will certainly fail."""
        return self.of(Severity.ERROR)

    @property
    def verdict(self) -> str:
        """One line: `production: 1 error, 2 warnings, no notes in 0.8 s`."""
        counts = [(len(self.of(severity)), severity.value) for severity in Severity]
        told = ", ".join(f"{count or 'no'} {name}{'' if count == 1 else 's'}" for count, name in counts)
        return f"{self.environment}: {told} in {self.seconds:.1f} s"

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "environment": self.environment,
            "version": self.version,
            "verdict": self.verdict,
            "seconds": round(self.seconds, 3),
            "skipped": dict(self.skips),
            "findings": [dict(finding.as_json()) for finding in self.findings],
            "nodes": self.nodes.as_json() if self.nodes else None,
        }


@dataclass(frozen=True, slots=True)
class LookupSources:
    """What an inspection looks at beside the operator's own: `connect` reaches a registry host with
    credentials, or as anybody; `parse` is None where the tasks are not known.
    """

    connect: lookups.Connect
    parse: Callable[[Sequence[str]], str | None] | None = None


def inspect(
    context: ReleaseContext,
    drafter: Drafter,
    environment: str,
    skips: Mapping[str, str],
    sources: LookupSources,
) -> Inspection:
    """Inspect one environment for what `drafter` renders.

    Raises:
        HelmError: the chart cannot be rendered.
        ConfigError: a file of the chart is not as a release needs it.
        ClusterError: the API server was not reachable.
    """
    began = time.monotonic()
    draft = drafter.draft(environment)
    snapshot = _picture(context, drafter, environment, draft, sources)
    found = [draft.places.locate(finding, draft.manifest) for finding in all_checks.judge(snapshot, skips)]
    return Inspection(
        environment=environment,
        version=draft.version,
        findings=tuple(found),
        nodes=_nodes(snapshot),
        skips=skips,
        seconds=time.monotonic() - began,
    )


def _picture(
    context: ReleaseContext, drafter: Drafter, environment: str, draft: Draft, sources: LookupSources
) -> PreflightSnapshot:
    config, repository = context.config, context.repository
    access = context.reach(environment)
    references = {reference for _, _, reference in images_of(draft.manifest)}
    hosts = {
        rule.get("host", "")
        for one in draft.manifest.of_kind("Ingress")
        for rule in one.spec.get("rules") or ()
    }
    is_elsewhere = config.smoke_of(environment).connect_to is not None
    with ThreadPoolExecutor(PARALLEL_LOOKS) as pool:
        live_later = pool.submit(cluster_reader.read, access, all_checks.needs(draft.manifest), WORDS)
        records_later: Future[Sequence[Record]] = pool.submit(access.records.read)
        images_later: Future[Mapping[str, ImageLookup]] = pool.submit(
            lookups.images, access, config.registry, draft.text, references, sources.connect
        )
        addresses_later = pool.submit(lookups.addresses, () if is_elsewhere else hosts)
        files_later = pool.submit(lookups.files, repository)
        siblings = pool.map(
            lambda name: _sibling(context, drafter, name),
            [one for one in config.environments if one != environment],
        )
        live = live_later.result()
        return PreflightSnapshot(
            environment=environment,
            version=draft.version,
            config=config,
            manifest=draft.manifest,
            live=live,
            images=_quietly(images_later),
            registry_problem=next((one.problem for one in drafter.problems), ""),
            addresses=addresses_later.result(),
            records=_quietly(records_later) or (),
            siblings=[one for one in siblings if one is not None],
            topic_prefix=draft.topic_prefix,
            contracts=lookups.contracts(repository.root, config),
            migrations=lookups.pending_migrations(repository, config, live.running, draft.commit),
            files=files_later.result(),
            parse=sources.parse,
            now=context.now(),
        )


def _sibling(context: ReleaseContext, drafter: Drafter, name: str) -> Sibling | None:
    """Another environment as it would be now; one that cannot be rendered has an inspection of its own for
    that.
    """
    try:
        draft = drafter.draft(name)
    except ReleaseError:
        return None
    return Sibling(
        name=name,
        settings=context.config.environment(name),
        manifest=draft.manifest,
        topic_prefix=draft.topic_prefix,
    )


def _quietly(later: Future[Found]) -> Found | None:
    """What came of a look; None when it failed, because others look at the same thing and say why."""
    try:
        return later.result()
    except ReleaseError:
        return None


def _nodes(snapshot: PreflightSnapshot) -> Table | None:
    try:
        return capacity.table(snapshot)
    except UnreadError:
        return None


Inspect = Callable[[str, str | None], "Inspection"]
