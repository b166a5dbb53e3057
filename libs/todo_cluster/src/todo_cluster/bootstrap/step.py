"""The form of a step, and what is recorded about a step that was done."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol

from todo_cluster.site import Site


@dataclass(frozen=True, slots=True)
class State:
    """What a check found: whether there is nothing to do, and the reason in a few words."""

    is_done: bool
    reason: str


DONE = State(True, "as configured")


class Step(Protocol):
    """One step: it says what it wants, finds out whether that is so, and brings it about."""

    @property
    def name(self) -> str:
        """Its key in the record: letters, digits, `.` and `-`."""

    @property
    def title(self) -> str:
        """What it brings about, and from where, in one line."""

    def fingerprint(self, site: Site) -> str:
        """Returns a digest of all that it is made from."""

    def check(self, site: Site, recorded: str | None) -> State:
        """Finds out whether there is anything to do; changes nothing.

        `recorded` is the fingerprint of the last time that the step was done on this cluster.
        """

    def do(self, site: Site) -> None:
        """Brings the state about, from whatever is there; may be called again after an interruption."""


def fingerprint_of(*parts: Any) -> str:
    """Returns the SHA-256 of values that JSON can express."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
