"""Inspects an environment before a release: renders, looks at everything at the same time, and judges.

Nothing is changed. What cannot be looked at becomes a note, not a failure; only a chart that cannot be
rendered and a cluster that cannot be reached end an inspection.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from todo_release.environments import Operator
from todo_release.preflight import capacity, checks, reading
from todo_release.preflight.drafts import Draft, Drafter
from todo_release.preflight.finding import Finding, Severity
from todo_release.preflight.picture import Picture, UnreadError
from todo_release.report.table import Table

PARALLEL_LOOKS = 8


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
            "seconds": round(self.seconds, 3),
            "skipped": dict(self.skips),
            "findings": [dict(finding.as_json()) for finding in self.findings],
            "nodes": self.nodes.as_json() if self.nodes else None,
        }


def inspect(operator: Operator, drafter: Drafter, environment: str, skips: Mapping[str, str]) -> Inspection:
    """Inspect one environment for what `drafter` renders.

    Raises:
        HelmError: the chart cannot be rendered.
        ConfigError: a file of the chart is not as a release needs it.
        ClusterError: the API server was not reachable.
    """
    began = time.monotonic()
    draft = drafter.draft(environment)
    picture = _picture(operator, drafter, environment, draft)
    found = [draft.places.locate(finding, draft.manifest) for finding in checks.judge(picture, skips)]
    return Inspection(
        environment=environment,
        version=draft.version,
        findings=tuple(found),
        nodes=_nodes(picture),
        skips=skips,
        seconds=time.monotonic() - began,
    )


def _picture(operator: Operator, drafter: Drafter, environment: str, draft: Draft) -> Picture:
    access = operator.reach(environment)
    with ThreadPoolExecutor(PARALLEL_LOOKS) as pool:
        live = pool.submit(reading.read, access, checks.needs(draft.manifest), ())
        return Picture(
            environment=environment,
            version=draft.version,
            config=operator.config,
            manifest=draft.manifest,
            live=live.result(),
            topic_prefix=draft.topic_prefix,
            now=operator.now(),
        )


def _nodes(picture: Picture) -> Table | None:
    try:
        return capacity.table(picture)
    except UnreadError:
        return None
