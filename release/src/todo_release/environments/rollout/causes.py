"""Why a rollout can fail: the table of causes, with exit code and remedy of each.

Exit codes, one per cause, never reused:

    20 deadline           the environment's timeout has passed and no other cause explains it
    21 image-missing      the registry has no such image
    22 image-denied       the registry does not let the node pull it
    23 image-unreachable  the node cannot reach the registry
    24 config-missing     a Secret, a ConfigMap or a key of one is not there
    25 cannot-start       the container runtime refuses to start the container
    26 crash-loop         the container starts and ends again
    27 out-of-memory      the container is killed at its memory limit
    28 probe-failing      it runs, but is not ready within what its probes allow
    29 sidecar-failing    a container beside the application is missing or not ready
    30 quota-exceeded     the pod would exceed a ResourceQuota
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
    """One row of the table; `remedy` says what a person should do."""

    id: str
    code: int
    remedy: str

    @property
    def runbook(self) -> str:
        """The path of the cause's runbook in the repository."""
        return f"docs/runbooks/{self.id}.md"


DEADLINE = Cause("deadline", 20, "Check the events in the evidence, or allow the rollout more time.")
IMAGE_MISSING = Cause(
    "image-missing", 21, "Push the image, or correct repository and digest in the values file."
)
IMAGE_DENIED = Cause("image-denied", 22, "Renew the pull secret of the namespace, or make the image public.")
IMAGE_UNREACHABLE = Cause(
    "image-unreachable", 23, "Check that the nodes reach the registry, then release again."
)
CONFIG_MISSING = Cause("config-missing", 24, "Create it in the namespace, then release again.")
CANNOT_START = Cause("cannot-start", 25, "Correct the command, user or mounts of the container.")
CRASH_LOOP = Cause("crash-loop", 26, "Correct what the container's log in the evidence reports.")
OUT_OF_MEMORY = Cause(
    "out-of-memory", 27, "Raise the container's memory limit, or find what takes the memory."
)
PROBE_FAILING = Cause(
    "probe-failing", 28, "Call its readiness path to see what is missing; its log is in the evidence."
)
SIDECAR_FAILING = Cause("sidecar-failing", 29, "Check the sidecar's log and the injector that adds it.")
QUOTA_EXCEEDED = Cause(
    "quota-exceeded", 30, "Raise the quota, lower the requests, or wait until old pods are gone."
)
POD_REFUSED = Cause("pod-refused", 31, "Change the pod so that the named policy accepts it.")
UNSCHEDULABLE = Cause("unschedulable", 32, "Add a node, lower the requests, or wait until old pods are gone.")
JOB_FAILED = Cause(
    "job-failed", 33, "Correct what the Job's log in the evidence reports, then release again."
)
STALLED = Cause("stalled", 34, "Check the events and the pods' logs in the evidence.")

# An earlier cause explains later ones: a pod that the quota refuses never pulls an image.
CAUSES = (
    QUOTA_EXCEEDED, POD_REFUSED, JOB_FAILED, CONFIG_MISSING, IMAGE_DENIED, IMAGE_MISSING, IMAGE_UNREACHABLE,
    CANNOT_START, SIDECAR_FAILING, OUT_OF_MEMORY, CRASH_LOOP, UNSCHEDULABLE, PROBE_FAILING, STALLED, DEADLINE,
)  # fmt: skip
CAPACITY_CAUSES = (QUOTA_EXCEEDED, UNSCHEDULABLE)


@dataclass(frozen=True, slots=True)
class RolloutFailure:
    """Why a rollout cannot finish, if the state lasts for `grace_seconds`.

    `workload` is `Kind/name`, `message` a sentence without its full stop. `pod` and `container` name the
    container that is affected; empty when the failure belongs to no single one.
    """

    cause: Cause
    workload: str
    message: str
    grace_seconds: float = 0
    pod: str = ""
    container: str = ""

    @property
    def code(self) -> int:
        """Exit code of a release that fails for this cause."""
        return self.cause.code

    @property
    def remedy(self) -> str:
        """What a person should do, with the runbook."""
        return f"{self.cause.remedy} See {self.cause.runbook}."

    def to_error(self, evidence: Path | None = None) -> RolloutError:
        """Returns the error that ends the release; `evidence` is the folder with what was saved."""
        return RolloutError(
            f"{self.workload}: {self.message} [{self.cause.id}].",
            remedy=self.remedy,
            code=self.code,
            evidence=str(evidence) if evidence else None,
        )
