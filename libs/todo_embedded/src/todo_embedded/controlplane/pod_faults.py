"""Faults that can be injected into running containers, where no missing object would explain them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from todo_embedded.controlplane.object_paths import KubeObject


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFault:
    """A fault of all pods that match every given criterion; without criteria, of every pod.

    `workload` is the name of the Deployment, StatefulSet, DaemonSet or Job; `labels` are the pod's.
    `container` names the container that has the fault, by default the pod's first; a pod without it does not
    match.
    """

    namespace: str = ""
    workload: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    container: str = ""

    def affects(self, pod: KubeObject) -> bool:
        """Returns whether a pod has this fault."""
        meta = pod["metadata"]
        return (
            self.namespace in ("", meta["namespace"])
            and self.workload in ("", workload_of(pod))
            and self.labels.items() <= meta.get("labels", {}).items()
            and self.container in ("", *(container["name"] for container in pod["spec"]["containers"]))
        )

    def container_of(self, pod: KubeObject) -> str:
        """Returns the name of the container that has the fault."""
        return self.container or str(pod["spec"]["containers"][0]["name"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash(PodFault):
    """The container exits soon after each start; `reason` is `Error`, or `OOMKilled` with exit code 137."""

    exit_code: int = 1
    reason: str = "Error"


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverReady(PodFault):
    """The container runs, but its readiness probe fails with this message."""

    message: str = "Readiness probe failed: HTTP probe failed with statuscode: 503"


def workload_of(pod: KubeObject) -> str:
    """Returns the name of the workload that owns a pod, or the pod's own name if none does.

    The ReplicaSet of a Deployment is named after the Deployment and the hash of its pod template.
    """
    meta = pod["metadata"]
    controllers = (owner for owner in meta.get("ownerReferences", []) if owner.get("controller"))
    owner = next(controllers, None)
    if owner is None:
        return str(meta["name"])
    template_hash = meta.get("labels", {}).get("pod-template-hash")
    name = str(owner["name"])
    return name.removesuffix(f"-{template_hash}") if owner["kind"] == "ReplicaSet" else name
