"""Drift: what differs between the cluster and what was deployed to it, and who changed it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from todo_release.adapters.kubernetes.live_objects import read_live_objects
from todo_release.adapters.kubernetes.managed_fields import foreign_fields, value_at
from todo_release.adapters.kubernetes.manifest import RenderedObject, parse_manifest, part_of
from todo_release.adapters.kubernetes.object_diff import abbreviated
from todo_release.core.formatting import ago
from todo_release.core.masking import HIDDEN
from todo_release.core.tables import Table
from todo_release.core.yaml_positions import dotted
from todo_release.environments.environment import EnvironmentAccess

DELETED = "(gone)"
PRESENT = "(there)"


@dataclass(frozen=True, slots=True)
class LiveChange:
    """One change of a live object, made by others than the release.

    In `subject` (`Kind/name`), `manager` set `field` to `live` at a time; `deployed` is the value that was
    deployed. A deleted object has no manager and no time, because the API server does not keep them.
    """

    subject: str
    field: str
    deployed: str
    live: str
    manager: str = ""
    at: datetime | None = None

    def message(self, now: datetime) -> str:
        """Returns `Deployment/web spec.replicas is 5 and not 2: kubectl-scale set it 2 days ago`."""
        if self.live == DELETED:
            return f"{self.subject} is gone"
        return (
            f"{self.subject} {self.field} is {self.live} and not {self.deployed}: "
            f"{self.manager} set it {self.age(now)}".rstrip()
        )

    def age(self, now: datetime) -> str:
        """Returns `2 days ago`; empty when the time is not known."""
        return ago((now - self.at).total_seconds()) if self.at else ""


def find_drift(access: EnvironmentAccess) -> tuple[LiveChange, ...]:
    """Compares the live objects with what Helm deployed last; finds nothing when Helm deployed nothing.

    What is missing is nobody's edit while the last revision has not been deployed to the end: Helm may never
    have created it.

    Raises:
        HelmError: Helm's record cannot be read.
        ClusterError: The environment cannot be reached.
    """
    release = access.settings.release
    last = access.helm.newest(release)
    if last is None:
        return ()
    objects = parse_manifest(access.helm.manifest(release, last.number)).objects
    bodies = [rendered.body for rendered in objects]
    live_objects = read_live_objects(access.cluster, bodies, access.settings.namespace)
    return tuple(
        change
        for rendered, live in zip(objects, live_objects, strict=True)
        for change in _changes_of(rendered, live)
        if last.status == "deployed" or change.live != DELETED
    )


def drift_table(environment: str, changes: Sequence[LiveChange], now: datetime) -> Table:
    """Returns a table with one row per change."""
    rows = tuple(
        (change.subject, change.field, change.deployed, change.live, change.manager, change.age(now))
        for change in changes
    )
    columns = ("object", "field", "deployed", "in the cluster", "set by", "when")
    return Table(f"Drift of {environment}", columns, rows)


def _changes_of(rendered: RenderedObject, live: Any) -> list[LiveChange]:
    if live is None:
        return [LiveChange(rendered.subject, "", PRESENT, DELETED)]
    is_secret = rendered.kind == "Secret"
    return [
        LiveChange(
            subject=rendered.subject,
            field=dotted(path),
            deployed=HIDDEN if is_secret else abbreviated(part_of(rendered.body, path)),
            live=HIDDEN if is_secret else abbreviated(value_at(live, path, rendered.body)),
            manager=manager,
            at=datetime.fromisoformat(at) if at else None,
        )
        for manager, at, path in foreign_fields(live, rendered.body)
    ]


FindDrift = Callable[[EnvironmentAccess], Sequence[LiveChange]]
"""The type of `find_drift`."""
