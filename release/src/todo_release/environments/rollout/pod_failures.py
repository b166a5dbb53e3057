"""What can be wrong with one pod of a rollout: placing, mounting, pulling, configuring, starting, staying,
readiness.

The rows of the doom table that look at pods and containers; what a grace is stands in
`rollout.failure_detection`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from todo_release.adapters.kubernetes.objects import Container, Pod, Snapshot, Workload
from todo_release.environments.rollout.causes import (
    CANNOT_START,
    CONFIG_MISSING,
    CRASH_LOOP,
    IMAGE_DENIED,
    IMAGE_MISSING,
    IMAGE_UNREACHABLE,
    OUT_OF_MEMORY,
    PROBE_FAILING,
    SIDECAR_FAILING,
    UNSCHEDULABLE,
    Cause,
    RolloutFailure,
)

SETTLE_SECONDS = 3  # caches of kubelet and controllers catch up with objects made in the same release
NETWORK_SECONDS = 45
NODE_SECONDS = 12
AUTOSCALER_SECONDS = 300
READY_SECONDS = 30  # least time to become ready, however little the probes allow: nodes are small and busy
CRASHES = 2

IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
START_REASONS = ("CreateContainerError", "RunContainerError")
START_FAILED = ("StartError", "ContainerCannotRun")
DENIED = re.compile(
    r"\b(401|403|unauthorized|forbidden|denied|authoriz\w+|insufficient_scope)\b", re.IGNORECASE
)
MISSING = re.compile(r"\b(404|not ?found|manifest unknown|name unknown)\b", re.IGNORECASE)
NO_OBJECT = re.compile(r'\b(secret|configmap) "([^"]+)" not found', re.IGNORECASE)
NO_KEY = re.compile(r"couldn't find key (\S+) in (Secret|ConfigMap) (?:\S+/)?([^/\s]+)")
NO_MOUNTED_KEY = re.compile(r"references non-existent (secret|config) key: (\S+)")
CACHE_IS_LATE = re.compile(r"failed to sync (secret|configmap) cache")
KILLED_BY_PROBE = re.compile(r"Container (\S+) failed (liveness|startup) probe")
ENOUGH_SAID = re.compile(r"\.? +(?:preemption: |no new claims ).*", re.DOTALL)


def pod_suspects(snapshot: Snapshot, workload: Workload) -> Iterator[RolloutFailure]:
    """Suspects among the pods of the workload's newest template."""
    for pod in snapshot.pods_of(workload):
        yield from _scheduling(snapshot, workload, pod)
        yield from _mounts(snapshot, workload, pod)
        if pod.annotations.get("dapr.io/enabled") == "true" and all(
            one.name != "daprd" for one in pod.containers
        ):
            message = f"pod {pod.name} was not given its daprd sidecar"
            yield RolloutFailure(SIDECAR_FAILING, str(workload.ref), message, pod=pod.name)
        for container in pod.containers:
            found = _Subject(snapshot, workload, pod, container).candidate()
            if found:
                yield found


def _scheduling(snapshot: Snapshot, workload: Workload, pod: Pod) -> Iterator[RolloutFailure]:
    scheduled = pod.condition("PodScheduled")
    if scheduled is None or scheduled.is_true or scheduled.reason != "Unschedulable":
        return
    grace = AUTOSCALER_SECONDS if snapshot.events_of(pod.uid, "TriggeredScaleUp") else NODE_SECONDS
    why = ENOUGH_SAID.sub("", scheduled.message)
    yield RolloutFailure(
        UNSCHEDULABLE, str(workload.ref), f"no node takes pod {pod.name}: {why}", grace, pod=pod.name
    )


def _mounts(snapshot: Snapshot, workload: Workload, pod: Pod) -> Iterator[RolloutFailure]:
    if any(one.state.phase != "waiting" for one in pod.containers):
        return
    for event in snapshot.events_of(pod.uid, "FailedMount")[-1:]:
        missing = _missing_object(event.message) or _missing_key(event.message)
        if missing:
            message = f"{missing}, which pod {pod.name} mounts"
            yield RolloutFailure(CONFIG_MISSING, str(workload.ref), message, SETTLE_SECONDS, pod=pod.name)


def _missing_object(said: str) -> str | None:
    found = NO_OBJECT.search(said)
    return f"there is no {_kind(found[1])} {found[2]!r}" if found else None


def _missing_key(said: str) -> str | None:
    found = NO_KEY.search(said)
    if found:
        return f"{found[2]} {found[3]!r} has no key {found[1]!r}"
    mounted = NO_MOUNTED_KEY.search(said)
    return f"its {_kind(mounted[1])} has no key {mounted[2]!r}" if mounted else None


def _kind(said: str) -> str:
    return "Secret" if said.lower() == "secret" else "ConfigMap"


@dataclass(frozen=True, slots=True)
class _Subject:
    """One container in its surroundings."""

    snapshot: Snapshot
    workload: Workload
    pod: Pod
    container: Container

    def candidate(self) -> RolloutFailure | None:
        """The first row that applies; a container can show only one."""
        state = self.container.state
        if state.reason in IMAGE_REASONS:
            return self._image()
        if state.reason == "CreateContainerConfigError":
            return self._config()
        if state.reason in START_REASONS:
            return self._doom(CANNOT_START, f"{self} does not start: {state.message}", SETTLE_SECONDS)
        if self.workload.ref.kind != "Job" and self._crashes() >= self._crashes_allowed():
            return self._crash()
        if state.phase == "running" and not self.container.is_ready:
            return self._readiness()
        return None

    def __str__(self) -> str:
        return f"container {self.container.name} of pod {self.pod.name}"

    @property
    def _is_beside(self) -> bool:
        """True for a sidecar: declared as one, or put into the pod by someone else than its template."""
        return self.container.is_native_sidecar or self.container.name not in self.workload.containers

    def _doom(self, cause: Cause, message: str, grace_seconds: float = 0) -> RolloutFailure:
        name = str(self.workload.ref)
        return RolloutFailure(
            cause, name, message, grace_seconds, pod=self.pod.name, container=self.container.name
        )

    def _events(self, *reasons: str) -> list[str]:
        return [" ".join(one.message.split()) for one in self.snapshot.events_of(self.pod.uid, *reasons)]

    def _image(self) -> RolloutFailure:
        """The back-off message repeats the reason only since Kubernetes 1.30; an event always says it."""
        image, reason, said = self.container.image, self.container.state.reason, self.container.state.message
        if reason == "InvalidImageName":
            return self._doom(IMAGE_MISSING, f"{image!r} is not the name of an image")
        if reason == "ImagePullBackOff":
            said = " ".join([said, *(one for one in self._events("Failed") if image in one)])
        why = said.replace(image, "the image")
        if DENIED.search(why):
            told = "".join(f"; {one}" for one in self._events("FailedToRetrieveImagePullSecret")[-1:])
            return self._doom(IMAGE_DENIED, f"the registry does not let the node pull {image}{told}")
        if MISSING.search(why) or reason == "ErrImageNeverPull":
            return self._doom(IMAGE_MISSING, f"there is no image {image}")
        return self._doom(IMAGE_UNREACHABLE, f"{image} cannot be pulled: {why}", NETWORK_SECONDS)

    def _config(self) -> RolloutFailure:
        said = self.container.state.message
        missing = _missing_object(said) or _missing_key(said)
        if missing:
            return self._doom(CONFIG_MISSING, f"{missing}, which {self} needs", SETTLE_SECONDS)
        grace = NETWORK_SECONDS if CACHE_IS_LATE.search(said) else SETTLE_SECONDS
        return self._doom(CANNOT_START, f"{self} cannot be configured: {said}", grace)

    def _crashes(self) -> int:
        """How often the container has ended although it should run."""
        state = self.container.state
        is_done = self.container.is_init and state.exit_code == 0
        has_ended = state.reason == "CrashLoopBackOff" or (state.phase == "terminated" and not is_done)
        return self.container.restarts + has_ended

    def _crashes_allowed(self) -> int:
        """One more while a neighbour is not ready: an application may end because its sidecar is late."""
        neighbours = [one for one in self.pod.containers if one.name != self.container.name]
        return CRASHES + any(one.state.phase == "running" and not one.is_ready for one in neighbours)

    def _crash(self) -> RolloutFailure:
        state = self.container.state
        last = state if state.phase == "terminated" else self.container.previous
        ended = f"{self} ended {self._crashes()} times"
        if self._is_beside:
            return self._doom(SIDECAR_FAILING, ended)
        if last and last.reason == "OOMKilled":
            return self._doom(OUT_OF_MEMORY, f"{self} was killed at its memory limit")
        if last and last.reason in START_FAILED:
            return self._doom(CANNOT_START, f"{self} does not start: {last.message}")
        killed = [found for one in self._events("Killing") if (found := KILLED_BY_PROBE.search(one))]
        if any(found[1] == self.container.name for found in killed):
            return self._doom(PROBE_FAILING, f"{self} was restarted because its {killed[-1][2]} probe failed")
        code = f", last with exit code {last.exit_code}" if last else ""
        return self._doom(CRASH_LOOP, f"{ended}{code}")

    def _readiness(self) -> RolloutFailure | None:
        if self.container.is_init and not self._is_beside:
            return None
        allowed = max(self.container.probe_budget_seconds, READY_SECONDS)
        told = "".join(f" ({one})" for one in self._events("Unhealthy")[-1:])
        message = f"{self} runs but is not ready after {allowed:.0f} s{told}"
        return self._doom(SIDECAR_FAILING if self._is_beside else PROBE_FAILING, message, allowed)
