"""What an environment runs, by the records of Helm and the objects in the cluster."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from todo_release.artifacts.deployment import parse_description
from todo_release.environments.environment import Access

if TYPE_CHECKING:
    from todo_release.adapters.helm.storage import Revision

ROLLBACK = "Rollback to "


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What an environment runs: `status` is Helm's, `deployment_id` what the engine wrote down when
    deploying.
    """

    version: str
    deployment_id: str | None
    revision: int
    status: str
    is_ready: bool

    def is_deployed(self, deployment_id: str) -> bool:
        """True when Helm has finished applying this very deployment; its pods may not be ready yet."""
        return self.deployment_id == deployment_id and self.status == "deployed"


def running_in(access: Access) -> Running | None:
    """What an environment runs by Helm's last revision, and whether all of it is ready; None when never
    deployed.
    """
    from todo_release.adapters.kubernetes.manifest import workloads_of

    release = access.settings.release
    history = access.helm.history(release)
    if not history:
        return None
    last = history[-1]
    deployed = parse_description(_origin(history, last).description)
    workloads = workloads_of(access.helm.manifest(release))
    found = access.cluster.snapshot(access.settings.namespace, workloads).workloads.values()
    return Running(
        version=deployed[0] if deployed else last.app_version,
        deployment_id=deployed[1] if deployed else None,
        revision=last.number,
        status=last.status,
        is_ready=len(found) == len(workloads) and all(workload.is_ready for workload in found),
    )


def _origin(history: "list[Revision]", revision: "Revision") -> "Revision":
    """The revision that a rollback brought back, through several rollbacks if need be."""
    known = {one.number: one for one in history}
    while revision.description.startswith(ROLLBACK):
        earlier = known.get(int(revision.description.removeprefix(ROLLBACK)))
        if earlier is None:
            break
        revision = earlier
    return revision
