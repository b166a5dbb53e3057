"""What an environment runs, according to Helm's records and the objects in the cluster."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from todo_release.adapters.kubernetes.manifest import workloads_of
from todo_release.artifacts.deployment import parse_description
from todo_release.environments.environment import EnvironmentAccess

if TYPE_CHECKING:
    from todo_release.adapters.helm.storage import Revision

ROLLBACK = "Rollback to "  # how Helm begins the description of a revision that a rollback made


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningVersion:
    """What an environment runs; `status` is Helm's, `deployment_id` the one recorded in Helm's revision."""

    version: str
    deployment_id: str | None
    revision: int
    status: str
    is_ready: bool

    def is_deployed(self, deployment_id: str) -> bool:
        """Returns True when Helm finished applying exactly this deployment; its pods may not be ready yet."""
        return self.deployment_id == deployment_id and self.status == "deployed"


def read_running_version(access: EnvironmentAccess) -> RunningVersion | None:
    """Reads what Helm's last revision runs and whether all of it is ready; None when nothing was deployed."""
    release = access.settings.release
    history = access.helm.history(release)
    if not history:
        return None
    last = history[-1]
    deployed = parse_description(_original(history, last).description)
    expected = workloads_of(access.helm.manifest(release))
    workloads = access.cluster.snapshot(access.settings.namespace, expected).workloads.values()
    return RunningVersion(
        version=deployed[0] if deployed else last.app_version,
        deployment_id=deployed[1] if deployed else None,
        revision=last.number,
        status=last.status,
        is_ready=len(workloads) == len(expected) and all(workload.is_ready for workload in workloads),
    )


def _original(history: "list[Revision]", revision: "Revision") -> "Revision":
    """Returns the revision that a rollback restored, also through several rollbacks."""
    revisions = {candidate.number: candidate for candidate in history}
    while revision.description.startswith(ROLLBACK):
        earlier = revisions.get(int(revision.description.removeprefix(ROLLBACK)))
        if earlier is None:
            break
        revision = earlier
    return revision
