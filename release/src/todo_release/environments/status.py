"""What an environment runs, according to Helm's records and the objects in the cluster."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from todo_release.adapters.kubernetes.manifest import workloads_of
from todo_release.adapters.kubernetes.objects import NamespaceSnapshot
from todo_release.adapters.kubernetes.sleep import REMEMBERED
from todo_release.artifacts.deployment import parse_description
from todo_release.environments.environment import EnvironmentAccess

if TYPE_CHECKING:
    from todo_release.adapters.helm.storage import Revision

ROLLBACK = "Rollback to "  # how Helm begins the description of a revision that a rollback made


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningVersion:
    """What an environment runs; `status` is Helm's, `deployment_id` the one recorded in Helm's revision.

    `manifest` is the one that Helm recorded, `snapshot` the state of its workloads and of all
    pods of the namespace.
    """

    version: str
    deployment_id: str | None
    revision: int
    status: str
    is_ready: bool
    manifest: str = field(default="", repr=False)
    snapshot: NamespaceSnapshot = field(default=NamespaceSnapshot({}, (), ()), repr=False)

    @property
    def sleeping_kinds(self) -> frozenset[str]:
        """The kinds of workloads that were scaled to zero for a while (`adapters.kubernetes.sleep`)."""
        workloads = self.snapshot.workloads.values()
        return frozenset(workload.ref.kind for workload in workloads if REMEMBERED in workload.annotations)

    @property
    def is_asleep(self) -> bool:
        """Whether a workload was scaled to zero for a while; then it is not ready."""
        return bool(self.sleeping_kinds)

    def is_deployed(self, deployment_id: str) -> bool:
        """Returns True when Helm finished applying exactly this deployment; its pods may not be ready yet."""
        return self.deployment_id == deployment_id and self.status == "deployed"


def read_running_version(access: EnvironmentAccess) -> RunningVersion | None:
    """Reads what Helm's last revision runs and whether all of it is ready; None when nothing was deployed."""
    release = access.settings.release
    last = access.helm.newest(release)
    if last is None:
        return None
    deployed = parse_description(_original(access, last).description)
    manifest = access.helm.manifest(release, last.number)
    expected = workloads_of(manifest, access.settings.namespace)
    snapshot = access.cluster.snapshot(access.settings.namespace, expected)
    workloads = snapshot.workloads.values()
    return RunningVersion(
        version=deployed[0] if deployed else last.app_version,
        deployment_id=deployed[1] if deployed else None,
        revision=last.number,
        status=last.status,
        is_ready=len(workloads) == len(expected)
        and all(workload.is_ready and REMEMBERED not in workload.annotations for workload in workloads),
        manifest=manifest,
        snapshot=snapshot,
    )


def _original(access: EnvironmentAccess, revision: "Revision") -> "Revision":
    """Returns the revision that a rollback restored, also through several rollbacks."""
    while revision.description.startswith(ROLLBACK):
        number = int(revision.description.removeprefix(ROLLBACK))
        earlier = access.helm.revision(access.settings.release, number)
        if earlier is None:
            break
        revision = earlier
    return revision
