"""The annotations by which the simulated kubelet tells kwok how a pod behaves.

kwok leaves a pod without them as it is.
"""

from dataclasses import dataclass
from enum import StrEnum

from todo_embedded.controlplane.object_paths import KubeObject

KIND = "rehearsal/behaviour"
CONTAINER = "rehearsal/container"
MESSAGE = "rehearsal/message"
REASON = "rehearsal/reason"
EXIT_CODE = "rehearsal/exit-code"


class BehaviourKind(StrEnum):
    """The ways in which a simulated pod can behave."""

    MOUNTING = "mounting"
    REFUSED = "image-refused"
    MISCONFIGURED = "config-error"
    RUNNING = "running"
    UNREADY = "unready"
    CRASHING = "crashing"
    FAILING = "failing"
    COMPLETING = "completing"


BEFORE_START = frozenset({BehaviourKind.MOUNTING, BehaviourKind.REFUSED, BehaviourKind.MISCONFIGURED})


@dataclass(frozen=True, slots=True)
class PodBehaviour:
    """How a pod behaves; `container` is the one that causes it, `message` what the kubelet says about it."""

    kind: BehaviourKind
    container: str = ""
    message: str = ""
    reason: str = ""
    exit_code: int = 0

    @property
    def is_before_start(self) -> bool:
        """True while something is missing that the container needs to start; a kubelet keeps retrying."""
        return self.kind in BEFORE_START

    def annotations(self) -> dict[str, str]:
        """Returns all of the annotations, so that they replace those of an earlier behaviour."""
        return {
            KIND: self.kind,
            CONTAINER: self.container,
            MESSAGE: self.message,
            REASON: self.reason,
            EXIT_CODE: str(self.exit_code),
        }


def behaviour_of(pod: KubeObject) -> PodBehaviour | None:
    """Returns the behaviour that a pod's annotations name; None before it was decided."""
    annotations = pod["metadata"].get("annotations", {})
    if KIND not in annotations:
        return None
    return PodBehaviour(
        BehaviourKind(annotations[KIND]),
        annotations[CONTAINER],
        annotations[MESSAGE],
        annotations[REASON],
        int(annotations[EXIT_CODE]),
    )
