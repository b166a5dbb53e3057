"""Possible failures of an applied Deployment whose pods a test makes."""

from typing import Any

from todo_release.environments.rollout.causes import RolloutFailure
from todo_release.environments.rollout.failure_detection import (
    possible_failures,
)
from todo_release.environments.rollout.patience import Patience

from ...doubles.kubernetes_objects import (
    NOTHING,
    condition,
    deployment,
    snapshot,
)

UNSCHEDULABLE = condition(
    "PodScheduled",
    "False",
    reason="Unschedulable",
    message="0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No victims.",
)


ENDED = {"exitCode": 1, "reason": "Error"}


def of_pods(
    *pods: dict[str, Any],
    events: list[dict[str, Any]] | None = None,
    patience: Patience | None = None,
    **options: Any,
) -> list[RolloutFailure]:
    """Returns the possible failures of an applied Deployment with these new pods."""
    state = snapshot(deployment(**options), pods=list(pods), events=events)
    return possible_failures(state, NOTHING, is_applied=True, patience=patience)
