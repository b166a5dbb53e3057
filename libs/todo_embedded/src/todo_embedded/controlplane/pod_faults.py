"""What a rehearsal can make go wrong inside containers, where no kubelet could foresee it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that befalls pods that match all that is named; nothing named means every pod.

    `workload` is the Deployment, StatefulSet, DaemonSet or Job, `labels` are the pod's. It befalls the
    container of that name, where there is one, by default the pod's first.
    """

    namespace: str = ""
    workload: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    container: str = ""

    def befalls(self, pod: Mapping[str, Any]) -> bool:
        """Tell whether this pod is meant."""
        meta = pod["metadata"]
        return (
            self.namespace in ("", meta["namespace"])
            and self.workload in ("", workload_of(pod))
            and self.labels.items() <= meta.get("labels", {}).items()
            and self.container in ("", *(one["name"] for one in pod["spec"]["containers"]))
        )

    def container_of(self, pod: Mapping[str, Any]) -> str:
        """Name of the container it befalls."""
        return self.container or str(pod["spec"]["containers"][0]["name"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash(Fault):
    """The container ends soon after each start; `reason` is `Error`, or `OOMKilled` with 137."""

    exit_code: int = 1
    reason: str = "Error"


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverReady(Fault):
    """The container runs, but its readiness probe fails with this message."""

    message: str = "Readiness probe failed: HTTP probe failed with statuscode: 503"


def workload_of(pod: Mapping[str, Any]) -> str:
    """Name of the workload a pod belongs to, its own name when it belongs to none.

    A ReplicaSet made by a Deployment has the Deployment's name and the pod template's hash.
    """
    meta = pod["metadata"]
    owner = next((one for one in meta.get("ownerReferences", []) if one.get("controller")), None)
    if owner is None:
        return str(meta["name"])
    template_hash = meta.get("labels", {}).get("pod-template-hash")
    name = str(owner["name"])
    return name.removesuffix(f"-{template_hash}") if owner["kind"] == "ReplicaSet" else name
