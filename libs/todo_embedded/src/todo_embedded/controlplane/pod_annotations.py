"""The marks on a pod by which `fates` tells kwok's stages what to play; a pod without marks is left alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

KIND = "rehearsal/fate"
CONTAINER = "rehearsal/container"
MESSAGE = "rehearsal/message"
REASON = "rehearsal/reason"
EXIT_CODE = "rehearsal/exit-code"


class Kind(StrEnum):
    """What can happen to a pod on its machine."""

    MOUNTING = "mounting"
    REFUSED = "image-refused"
    MISCONFIGURED = "config-error"
    RUNNING = "running"
    UNREADY = "unready"
    CRASHING = "crashing"
    FAILING = "failing"
    COMPLETING = "completing"


BEFORE_START = frozenset({Kind.MOUNTING, Kind.REFUSED, Kind.MISCONFIGURED})


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to a pod, because of which `container` where it is one; `message` is the kubelet's."""

    kind: Kind
    container: str = ""
    message: str = ""
    reason: str = ""
    exit_code: int = 0

    @property
    def is_before_start(self) -> bool:
        """True while something is missing without which the container cannot start; a kubelet tries again."""
        return self.kind in BEFORE_START

    def annotations(self) -> dict[str, str]:
        """The marks, all of them, so that they replace those of another fate."""
        return {
            KIND: self.kind,
            CONTAINER: self.container,
            MESSAGE: self.message,
            REASON: self.reason,
            EXIT_CODE: str(self.exit_code),
        }


def fate_of(pod: Mapping[str, Any]) -> Fate | None:
    """The fate a pod is marked with; None when it has none yet."""
    marks = pod["metadata"].get("annotations", {})
    if KIND not in marks:
        return None
    return Fate(Kind(marks[KIND]), marks[CONTAINER], marks[MESSAGE], marks[REASON], int(marks[EXIT_CODE]))
