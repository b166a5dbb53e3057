"""Why a rollout can fail: the table of causes, with the exit code and the remedy of each.

Exit codes, one a cause, never reused:

    20 deadline           the rollout's own time is over and nothing below explains it
    21 image-missing      the registry has no such image
    22 image-denied       the registry does not let the node pull it
    23 image-unreachable  the node cannot reach the registry
    24 config-missing     a Secret, a ConfigMap or a key of one is not there
    25 cannot-start       the container runtime refuses to start the container
    26 crash-loop         the container starts and ends again
    27 out-of-memory      the container is killed at its memory limit
    28 probe-failing      it runs, but is not ready within what its probes allow
    29 sidecar-failing    a container beside the application is missing or not ready
    30 quota-exceeded     a ResourceQuota has no room for the pod
    31 pod-refused        the API server refuses the pod (admission, policy, limit range)
    32 unschedulable      no node can take the pod
    33 job-failed         a hook or Job failed
    34 stalled            the Deployment's own progress deadline has passed
"""

from dataclasses import dataclass
from pathlib import Path

from todo_release.errors import RolloutError


@dataclass(frozen=True, slots=True)
class Cause:
    """One row of the table; `remedy` is what a person does about it."""

    id: str
    code: int
    remedy: str

    @property
    def runbook(self) -> str:
        """The page, from the repository's root, that says more."""
        return f"docs/runbooks/{self.id}.md"


DEADLINE = Cause("deadline", 20, "Look at the events in the evidence, or allow the rollout more time.")
IMAGE_MISSING = Cause(
    "image-missing", 21, "Push the image, or correct repository and digest in the values file."
)
IMAGE_DENIED = Cause("image-denied", 22, "Renew the pull secret of the namespace, or make the image public.")
IMAGE_UNREACHABLE = Cause(
    "image-unreachable", 23, "Check that the nodes reach the registry, then release again."
)
CONFIG_MISSING = Cause("config-missing", 24, "Create it in the namespace, then release again.")
CANNOT_START = Cause("cannot-start", 25, "Correct the command, user or mounts of the container.")
CRASH_LOOP = Cause("crash-loop", 26, "Read the container's log in the evidence and correct what it says.")
OUT_OF_MEMORY = Cause(
    "out-of-memory", 27, "Raise the container's memory limit, or find what takes the memory."
)
PROBE_FAILING = Cause(
    "probe-failing", 28, "Ask its readiness path what is missing; the log is in the evidence."
)
SIDECAR_FAILING = Cause("sidecar-failing", 29, "Look at the sidecar's log and at whoever injects it.")
QUOTA_EXCEEDED = Cause("quota-exceeded", 30, "Raise the quota, lower the requests, or let old pods go first.")
POD_REFUSED = Cause("pod-refused", 31, "Change the pod so that the policy named accepts it.")
UNSCHEDULABLE = Cause("unschedulable", 32, "Add a node, lower the requests, or let old pods go first.")
JOB_FAILED = Cause("job-failed", 33, "Read the Job's log in the evidence, correct it, then release again.")
STALLED = Cause("stalled", 34, "Look at the events and the pods' logs in the evidence.")

# The earlier cause explains the later ones: a pod without a quota has no image to pull.
CAUSES = (
    QUOTA_EXCEEDED, POD_REFUSED, JOB_FAILED, CONFIG_MISSING, IMAGE_DENIED, IMAGE_MISSING, IMAGE_UNREACHABLE,
    CANNOT_START, SIDECAR_FAILING, OUT_OF_MEMORY, CRASH_LOOP, UNSCHEDULABLE, PROBE_FAILING, STALLED, DEADLINE,
)  # fmt: skip
NEEDS_ROOM = (QUOTA_EXCEEDED, UNSCHEDULABLE)


@dataclass(frozen=True, slots=True)
class RolloutFailure:
    """Why the rollout cannot finish, if it lasts for `grace_seconds`.

    `object` is the workload, `message` a sentence without its full stop; `pod` and `container` say whose log
    tells more, where one does.
    """

    cause: Cause
    object: str
    message: str
    grace_seconds: float = 0
    pod: str = ""
    container: str = ""

    @property
    def code(self) -> int:
        """Exit code of a release that fails with it."""
        return self.cause.code

    @property
    def remedy(self) -> str:
        """What a person does about it, and where more is written."""
        return f"{self.cause.remedy} See {self.cause.runbook}."

    def error(self, evidence: Path | None = None) -> RolloutError:
        """The error that ends the release; `evidence` is the folder that `diagnosis.evidence` filled."""
        return RolloutError(
            f"{self.object}: {self.message} [{self.cause.id}].",
            remedy=self.remedy,
            code=self.code,
            evidence=str(evidence) if evidence else None,
        )
