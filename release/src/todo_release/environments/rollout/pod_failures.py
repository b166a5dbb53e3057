"""Finds what can be wrong with one pod: scheduling, mounts, image, configuration, start, crashes, readiness.

These are the causes that show in pods and containers. `rollout.failure_detection` explains what a grace is.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from todo_release.adapters.kubernetes.objects import (
    EXPENDABLE_PRIORITY,
    Container,
    NamespaceSnapshot,
    Pod,
    Workload,
)
from todo_release.config.rollout import RolloutSettings
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
    STALLED,
    UNSCHEDULABLE,
    Cause,
    RolloutFailure,
)
from todo_release.environments.rollout.patience import Patience

SETTLE_SECONDS = 3  # kubelet and controllers need time to see objects created in the same release
CACHE_SECONDS = 45
UNTIL_THE_END = math.inf  # no longer than the rollout itself may take

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
UNBOUND_VOLUME = re.compile(r"unbound .*PersistentVolumeClaims|binding volumes|provision", re.IGNORECASE)
SCALE_UP_FAILED_FOR_NOW = re.compile(r"backoff", re.IGNORECASE)
SCHEDULER_DETAILS = re.compile(r"\.? +(?:preemption: |no new claims ).*", re.DOTALL)


def possible_pod_failures(
    snapshot: NamespaceSnapshot, workload: Workload, patience: Patience
) -> Iterator[RolloutFailure]:
    """Yields what may be wrong with the pods of the workload's newest template."""
    for pod in snapshot.pods_of(workload):
        yield from _scheduling(snapshot, workload, pod, patience)
        yield from _mounts(snapshot, workload, pod, patience)
        if pod.annotations.get("dapr.io/enabled") == "true" and all(
            container.name != "daprd" for container in pod.containers
        ):
            message = f"pod {pod.name} was created without its daprd sidecar"
            yield RolloutFailure(SIDECAR_FAILING, str(workload.ref), message, pod=pod.name)
        for container in pod.containers:
            failure = _ContainerCheck(snapshot, workload, pod, container, patience).possible_failure()
            if failure:
                yield failure


def _scheduling(
    snapshot: NamespaceSnapshot, workload: Workload, pod: Pod, patience: Patience
) -> Iterator[RolloutFailure]:
    scheduled = pod.condition("PodScheduled")
    if scheduled is None or scheduled.is_true or scheduled.reason != "Unschedulable":
        return
    message = f"pod {pod.name} cannot be scheduled: {SCHEDULER_DETAILS.sub('', scheduled.message)}"
    if _may_get_a_node(snapshot, pod, scheduled.message, patience):
        grace = UNTIL_THE_END
    else:
        grace = patience.settings_of(workload.annotations).unschedulable_seconds
    yield RolloutFailure(UNSCHEDULABLE, str(workload.ref), message, grace, pod=pod.name)


def _may_get_a_node(
    snapshot: NamespaceSnapshot, pod: Pod, scheduler_message: str, patience: Patience
) -> bool:
    """Returns whether something else than a person may make room for a pod.

    The newest word of the autoscaler counts: TriggeredScaleUp and NotTriggerScaleUp are the events of the
    cluster autoscaler, Nominated is Karpenter's.
    """
    if pod.nominated_node or UNBOUND_VOLUME.search(scheduler_message):
        return True
    words = snapshot.events_of(pod.uid, "TriggeredScaleUp", "NotTriggerScaleUp", "Nominated")
    if words:
        is_refused = words[-1].reason == "NotTriggerScaleUp"
        return not is_refused or bool(SCALE_UP_FAILED_FOR_NOW.search(words[-1].message))
    return patience.may_grow and pod.priority >= EXPENDABLE_PRIORITY


def _mounts(
    snapshot: NamespaceSnapshot, workload: Workload, pod: Pod, patience: Patience
) -> Iterator[RolloutFailure]:
    if any(container.state.phase != "waiting" for container in pod.containers):
        return
    for event in snapshot.events_of(pod.uid, "FailedMount")[-1:]:
        missing = _missing_object(event.message) or _missing_key(event.message)
        if missing:
            message = f"{missing}, which pod {pod.name} mounts"
            grace = _missing_config_seconds(missing, workload, patience)
            yield RolloutFailure(CONFIG_MISSING, str(workload.ref), message, grace, pod=pod.name)


def _missing_config_seconds(missing: str, workload: Workload, patience: Patience) -> float:
    settings = patience.settings_of(workload.annotations)
    return (
        settings.managed_secret_seconds if patience.is_managed(missing) else settings.missing_config_seconds
    )


def _missing_object(text: str) -> str | None:
    match = NO_OBJECT.search(text)
    return f"there is no {_kind(match[1])} {match[2]!r}" if match else None


def _missing_key(text: str) -> str | None:
    match = NO_KEY.search(text)
    if match:
        return f"{match[2]} {match[3]!r} has no key {match[1]!r}"
    mounted = NO_MOUNTED_KEY.search(text)
    return f"its {_kind(mounted[1])} has no key {mounted[2]!r}" if mounted else None


def _kind(name: str) -> str:
    return "Secret" if name.lower() == "secret" else "ConfigMap"


@dataclass(frozen=True, slots=True)
class _ContainerCheck:
    """Checks one container, with the pod and workload that it belongs to."""

    snapshot: NamespaceSnapshot
    workload: Workload
    pod: Pod
    container: Container
    patience: Patience

    def possible_failure(self) -> RolloutFailure | None:
        """Returns the first failure that applies, because a container shows only one at a time."""
        state = self.container.state
        if state.reason in IMAGE_REASONS:
            return self._image_failure()
        if state.reason == "CreateContainerConfigError":
            return self._config_failure()
        if state.reason in START_REASONS:
            return self._failure(CANNOT_START, f"{self} does not start: {state.message}", SETTLE_SECONDS)
        if self.workload.ref.kind != "Job" and self._has_ended and self._crashes() >= self._crashes_allowed():
            return self._crash_failure()
        if state.phase == "running" and not self.container.is_ready:
            return self._readiness_failure()
        return None

    def __str__(self) -> str:
        return f"container {self.container.name} of pod {self.pod.name}"

    @property
    def _is_sidecar(self) -> bool:
        """True for a native sidecar, and for a container that is not in the workload's template."""
        return self.container.is_native_sidecar or self.container.name not in self.workload.containers

    @property
    def _settings(self) -> RolloutSettings:
        return self.patience.settings_of(self.workload.annotations)

    def _failure(self, cause: Cause, message: str, grace_seconds: float = 0) -> RolloutFailure:
        name = str(self.workload.ref)
        return RolloutFailure(
            cause, name, message, grace_seconds, pod=self.pod.name, container=self.container.name
        )

    def _events(self, *reasons: str) -> list[str]:
        events = self.snapshot.events_of(self.pod.uid, *reasons)
        return [" ".join(event.message.split()) for event in events]

    def _image_failure(self) -> RolloutFailure:
        """Reads the reason from events too: the back-off message has it only since Kubernetes 1.30."""
        image, reason, text = self.container.image, self.container.state.reason, self.container.state.message
        settings = self._settings
        if reason == "InvalidImageName":
            return self._failure(IMAGE_MISSING, f"{image!r} is not the name of an image")
        if reason == "ImagePullBackOff":
            text = " ".join([text, *(message for message in self._events("Failed") if image in message)])
        why = text.replace(image, "the image")
        if DENIED.search(why):
            details = "".join(f"; {text}" for text in self._events("FailedToRetrieveImagePullSecret")[-1:])
            grace = settings.pull_seconds
            if self.patience.is_managed(details):
                grace = max(grace, settings.managed_secret_seconds)
            message = f"the registry does not let the node pull {image}{details}"
            return self._failure(IMAGE_DENIED, message, grace)
        if reason == "ErrImageNeverPull":
            return self._failure(IMAGE_MISSING, f"there is no image {image}")
        if MISSING.search(why):
            return self._failure(IMAGE_MISSING, f"there is no image {image}", settings.missing_image_seconds)
        return self._failure(IMAGE_UNREACHABLE, f"{image} cannot be pulled: {why}", settings.pull_seconds)

    def _config_failure(self) -> RolloutFailure:
        text = self.container.state.message
        missing = _missing_object(text) or _missing_key(text)
        if missing:
            grace = _missing_config_seconds(missing, self.workload, self.patience)
            return self._failure(CONFIG_MISSING, f"{missing}, which {self} needs", grace)
        grace = CACHE_SECONDS if CACHE_IS_LATE.search(text) else SETTLE_SECONDS
        return self._failure(CANNOT_START, f"{self} cannot be configured: {text}", grace)

    @property
    def _has_ended(self) -> bool:
        """True while the container is ended although it should run."""
        state = self.container.state
        is_done = self.container.is_init and state.exit_code == 0
        return state.reason == "CrashLoopBackOff" or (state.phase == "terminated" and not is_done)

    def _crashes(self) -> int:
        """Returns how often the container has ended although it should run."""
        return self.container.restarts + self._has_ended

    def _crashes_allowed(self) -> int:
        """Returns one more while another container is not ready: it may be a sidecar that is late."""
        others = [other for other in self.pod.containers if other.name != self.container.name]
        return self._settings.crashes + any(
            other.state.phase == "running" and not other.is_ready for other in others
        )

    def _crash_failure(self) -> RolloutFailure:
        grace = self._settings.crash_seconds
        state = self.container.state
        last = state if state.phase == "terminated" else self.container.previous
        ended = f"{self} ended {self._crashes()} times"
        if self._is_sidecar:
            return self._failure(SIDECAR_FAILING, ended, grace)
        if last and last.reason == "OOMKilled":
            return self._failure(OUT_OF_MEMORY, f"{self} was killed at its memory limit", grace)
        if last and last.reason in START_FAILED:
            return self._failure(CANNOT_START, f"{self} does not start: {last.message}", SETTLE_SECONDS)
        killed = [match for text in self._events("Killing") if (match := KILLED_BY_PROBE.search(text))]
        if any(match[1] == self.container.name for match in killed):
            message = f"{self} was restarted because its {killed[-1][2]} probe failed"
            return self._failure(PROBE_FAILING, message, grace)
        code = f", last with exit code {last.exit_code}" if last else ""
        return self._failure(CRASH_LOOP, f"{ended}{code}", grace)

    def _readiness_failure(self) -> RolloutFailure | None:
        """Returns that a running container is not ready.

        As long as no probe has failed nothing is known to be wrong with it: it is only late.
        """
        if self.container.is_init and not self._is_sidecar:
            return None
        wanted = self._settings.readiness_seconds or self.workload.progress_seconds
        allowed = max(self.container.probe_budget_seconds, wanted)
        failed_probes = self._events("Unhealthy")
        details = "".join(f" ({text})" for text in failed_probes[-1:])
        message = f"{self} runs but is not ready after {allowed:.0f} s{details}"
        cause = PROBE_FAILING if failed_probes else STALLED
        return self._failure(SIDECAR_FAILING if self._is_sidecar else cause, message, allowed)
