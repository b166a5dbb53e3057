"""What befalls the pods of a new version: those with an image that was not known when a fault was arranged.

What ran before goes on running, as in a real cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from todo_embedded.controlplane.pod_faults import Crash, NeverReady

SIDECAR = "daprd"
Pod = Mapping[str, Any]


def digest_in(image: str) -> str | None:
    """The digest by which an image is named; None when it is named by a tag."""
    _, _, digest = image.partition("@")
    return digest or None


@dataclass(slots=True)
class Pulls:
    """What the scratch registry tells nodes about images pushed after `known`; None lets them have it."""

    refusal: str | None = None
    known: frozenset[str] = frozenset()

    def refuse(self, image: str) -> str | None:
        """The text by which an image is refused."""
        return None if digest_in(image) in self.known else self.refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomers:
    """Pods with an image that is not among the known digests: of Jobs, or of anything else; `beside` are only
    those with a sidecar.
    """

    known: frozenset[str]
    is_job: bool = False
    beside: bool = False

    def have(self, pod: Pod) -> bool:
        """Tell whether this pod is meant."""
        owners = {one["kind"] for one in pod["metadata"].get("ownerReferences", ())}
        containers = pod["spec"]["containers"]
        is_meant = ("Job" in owners) == self.is_job
        if self.beside:
            is_meant = is_meant and SIDECAR in {one["name"] for one in containers}
        return is_meant and bool({digest_in(one["image"]) for one in containers} - self.known - {None})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCrash(Crash):
    """A container of new pods ends soon after each start."""

    new: Newcomers

    def befalls(self, pod: Pod) -> bool:
        """Tell whether this pod is meant."""
        return self.new.have(pod)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUnready(NeverReady):
    """The first container of new pods runs and is never ready."""

    new: Newcomers

    def befalls(self, pod: Pod) -> bool:
        """Tell whether this pod is meant."""
        return self.new.have(pod)
