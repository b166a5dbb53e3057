"""What differs between a cluster and what was deployed to it: objects that are gone, fields others set."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from todo_release.adapters.kubernetes.managed_fields import foreign, value_at
from todo_release.adapters.kubernetes.manifest import Rendered, parse, part_of
from todo_release.adapters.kubernetes.object_diff import HIDDEN, shown
from todo_release.core.formatting import ago
from todo_release.core.tables import Table
from todo_release.core.yaml_positions import dotted
from todo_release.environments.environment import Access

PARALLEL_READS = 8
GONE = "(gone)"
THERE = "(there)"


@dataclass(frozen=True, slots=True)
class Edit:
    """One difference: in `subject` (`Kind/name`), `field` is `live` where `deployed` was deployed; `manager`
    set it at that time. Of an object that is gone nobody knows who and when.
    """

    subject: str
    field: str
    deployed: str
    live: str
    manager: str = ""
    at: datetime | None = None

    def told(self, now: datetime) -> str:
        """`Deployment/web spec.replicas is 5 and not 2: kubectl-scale set it 2 days ago`."""
        if self.live == GONE:
            return f"{self.subject} is gone"
        return (
            f"{self.subject} {self.field} is {self.live} and not {self.deployed}: "
            f"{self.manager} set it {self.since(now)}".rstrip()
        )

    def since(self, now: datetime) -> str:
        """`2 days ago`; empty when nobody knows."""
        return ago((now - self.at).total_seconds()) if self.at else ""


def look(access: Access) -> tuple[Edit, ...]:
    """Compare the live objects with what Helm deployed last; nothing when it never deployed anything.

    Raises:
        HelmError: its record cannot be read.
        ClusterError: the environment cannot be reached.
    """
    release = access.settings.release
    if not access.helm.history(release):
        return ()
    objects = parse(access.helm.manifest(release)).objects
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        found = pool.map(lambda one: _edits(access, one), objects)
        return tuple(edit for edits in found for edit in edits)


def table(environment: str, edits: Sequence[Edit], now: datetime) -> Table:
    """One row an edit."""
    rows = tuple(
        (one.subject, one.field, one.deployed, one.live, one.manager, one.since(now)) for one in edits
    )
    columns = ("object", "field", "deployed", "in the cluster", "set by", "when")
    return Table(f"Drift of {environment}", columns, rows)


def _edits(access: Access, one: Rendered) -> list[Edit]:
    live = access.cluster.live(one.body, access.settings.namespace)
    if live is None:
        return [Edit(one.subject, "", THERE, GONE)]
    is_secret = one.kind == "Secret"
    return [
        Edit(
            subject=one.subject,
            field=dotted(path),
            deployed=HIDDEN if is_secret else shown(part_of(one.body, path)),
            live=HIDDEN if is_secret else shown(value_at(live, path, one.body)),
            manager=manager,
            at=datetime.fromisoformat(at) if at else None,
        )
        for manager, at, path in foreign(live, one.body)
    ]


FindDrift = Callable[[Access], "Sequence[Edit]"]
