"""Faults for pods whose image was pushed after the fault was injected; earlier pods keep running."""

from dataclasses import dataclass

from todo_embedded.controlplane.object_paths import KubeObject
from todo_embedded.controlplane.pod_faults import Crash, NeverReady

SIDECAR = "daprd"


def image_digest(image: str) -> str | None:
    """Returns the digest in an image reference, or None if it has only a tag."""
    _, _, digest = image.partition("@")
    return digest or None


@dataclass(slots=True)
class PullFault:
    """The `refusal` with which the registry refuses images whose digest is not `known`, or None."""

    refusal: str | None = None
    known: frozenset[str] = frozenset()

    def refusal_of(self, image: str) -> str | None:
        """Returns the text with which an image is refused, or None."""
        return None if image_digest(image) in self.known else self.refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPods:
    """Selects pods with an image digest that is not `known`: pods of Jobs, or (by default) all others.

    `has_sidecar` selects only those with a sidecar.
    """

    known: frozenset[str]
    is_job: bool = False
    has_sidecar: bool = False

    def include(self, pod: KubeObject) -> bool:
        """Returns whether a pod is selected."""
        owners = {owner["kind"] for owner in pod["metadata"].get("ownerReferences", ())}
        containers = pod["spec"]["containers"]
        if ("Job" in owners) != self.is_job:
            return False
        if self.has_sidecar and SIDECAR not in {container["name"] for container in containers}:
            return False
        return bool({image_digest(container["image"]) for container in containers} - self.known - {None})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPodsCrash(Crash):
    """A container of new pods exits soon after each start."""

    pods: NewPods

    def affects(self, pod: KubeObject) -> bool:
        """Returns whether a pod has this fault."""
        return self.pods.include(pod)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPodsNeverReady(NeverReady):
    """The first container of new pods runs and is never ready."""

    pods: NewPods

    def affects(self, pod: KubeObject) -> bool:
        """Returns whether a pod has this fault."""
        return self.pods.include(pod)
