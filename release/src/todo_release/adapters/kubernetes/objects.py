"""Parses what the Kubernetes API says about a namespace into small frozen values.

Whether a workload is ready follows the rules of `kubectl rollout status`; whether it can still become ready
is decided in `environments.rollout.failure_detection`. Values are parsed from the API's JSON, without a
client library.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

JsonObject = Mapping[str, Any]
WORKLOAD_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job")
EXPENDABLE_PRIORITY = -10  # below it the cluster autoscaler adds no node: --expendable-pods-priority-cutoff
PROGRESS_SECONDS = 600  # progressDeadlineSeconds of a Deployment that does not set it


@dataclass(frozen=True, slots=True, order=True)
class WorkloadRef:
    """Names one workload, or another object that a rollout waits for.

    Attributes:
        kind: As in its manifest.
        name: Its name; of a hook with `generateName` only the beginning.
        namespace: Its namespace; empty for that of the release.
        is_hook: True if Helm runs it, and may delete it when it is done.
        is_name_generated: True if the API server completes the name.
        api_version: Set for custom resources, which are judged by their conditions.
    """

    kind: str
    name: str
    namespace: str = ""
    is_hook: bool = field(default=False, compare=False, kw_only=True)
    is_name_generated: bool = field(default=False, compare=False, kw_only=True)
    api_version: str = field(default="", compare=False, kw_only=True)

    @property
    def is_workload(self) -> bool:
        """True for what runs as long as the release does, or until it is done; False for hooks."""
        return not self.is_hook and not self.api_version

    def __str__(self) -> str:
        """Returns `Deployment/shop-web`, the form that kubectl takes, with a namespace of its own."""
        return f"{self.kind}/{self.name}" + (f" -n {self.namespace}" if self.namespace else "")


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of `status.conditions`; `updated_at` distinguishes it from that of an earlier rollout."""

    type: str
    is_true: bool
    reason: str
    message: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class ContainerState:
    """What a container is doing (`waiting`, `running`, `terminated`) and why; `exit_code` when it ended."""

    phase: str
    reason: str = ""
    message: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a pod: its spec and its status together.

    `probe_budget_seconds` is the time that its probes allow from its start until it is ready. `image_id` is
    what the node reports about the image that runs.
    """

    name: str
    image: str
    state: ContainerState
    previous: ContainerState | None
    restarts: int
    is_ready: bool
    is_init: bool
    is_native_sidecar: bool
    probe_budget_seconds: float
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod; `owner_uid` is the uid of the ReplicaSet, StatefulSet, DaemonSet or Job that created it.

    `nominated_node` is the node from which others are evicted for it. `ports` are the numbers of its
    containers' ports, by name, or by number where a port has no name.
    """

    name: str
    uid: str
    owner_uid: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    node: str
    is_ready: bool
    is_terminating: bool
    conditions: tuple[Condition, ...]
    containers: tuple[Container, ...]
    namespace: str = ""
    nominated_node: str = ""
    priority: int = 0
    created_at: datetime | None = None
    ports: Mapping[str, int] = field(default_factory=dict)

    def condition(self, kind: str) -> Condition | None:
        """Returns the condition of a type; None when the pod does not have it."""
        return _condition(self.conditions, kind)


@dataclass(frozen=True, slots=True)
class KubernetesEvent:
    """A Kubernetes event about one object; `at` is the last time it happened."""

    kind: str
    name: str
    uid: str
    type: str
    reason: str
    message: str
    count: int
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload with the numbers its controller reports, or a custom resource that counts as one replica.

    The numbers describe `observed_generation`; they say nothing about a newer `generation`. `pod_owner_uid`
    and `pod_labels` select the pods of the newest template, so that pods of an earlier rollout do not count
    for this one. `max_unavailable` is how many pods of a DaemonSet may be missing. `is_paused` and
    `is_suspended` are what the specification of a Deployment or a Job says.
    """

    ref: WorkloadRef
    uid: str
    generation: int
    observed_generation: int
    desired: int
    updated: int
    available: int
    total: int
    conditions: tuple[Condition, ...]
    containers: frozenset[str]
    pod_owner_uid: str
    pod_labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    progress_seconds: float = PROGRESS_SECONDS
    max_unavailable: int = 0
    is_paused: bool = False
    is_suspended: bool = False

    @property
    def is_observed(self) -> bool:
        """True when the controller has seen the newest specification."""
        return self.observed_generation >= self.generation

    @property
    def is_ready(self) -> bool:
        """True when all replicas are available and of the newest template, none older.

        A Job is ready when it is done, or suspended: then it waits for somebody to resume it.
        """
        if not self.is_observed:
            return False
        if self.is_suspended:
            return True
        if self.ref.kind == "Job":
            complete = self.condition("Complete")
            return complete is not None and complete.is_true
        return self.updated >= self.desired and self.available >= self.desired and self.total <= self.updated

    def condition(self, kind: str) -> Condition | None:
        """Returns the condition of a type; None when the workload does not have it."""
        return _condition(self.conditions, kind)


@dataclass(frozen=True, slots=True)
class NamespaceSnapshot:
    """The state of a namespace at one moment: the workloads asked for, and all its pods and events."""

    workloads: Mapping[WorkloadRef, Workload]
    pods: tuple[Pod, ...]
    events: tuple[KubernetesEvent, ...]

    def pods_of(self, workload: Workload) -> tuple[Pod, ...]:
        """Returns the pods of the workload's newest template that are not being deleted."""
        return tuple(
            pod
            for pod in self.pods
            if pod.owner_uid == workload.pod_owner_uid
            and workload.pod_labels.items() <= pod.labels.items()
            and not pod.is_terminating
        )

    def events_of(self, uid: str, *reasons: str) -> tuple[KubernetesEvent, ...]:
        """Returns the events about one object with one of these reasons, oldest first."""
        return tuple(event for event in self.events if event.uid == uid and event.reason in reasons)


def parse_pod(raw: JsonObject) -> Pod:
    """Parses one pod, joining each container's specification with its status."""
    meta, spec, status = raw["metadata"], raw["spec"], raw.get("status", {})
    statuses = {
        entry["name"]: entry
        for entry in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    }
    initial = {container["name"] for container in spec.get("initContainers", [])}
    conditions = parse_conditions(status)
    return Pod(
        name=meta["name"],
        uid=meta["uid"],
        owner_uid=_controller_uid(meta),
        labels=meta.get("labels", {}),
        annotations=meta.get("annotations", {}),
        node=spec.get("nodeName", ""),
        is_ready=any(condition.type == "Ready" and condition.is_true for condition in conditions),
        is_terminating="deletionTimestamp" in meta,
        conditions=conditions,
        namespace=meta.get("namespace", ""),
        nominated_node=status.get("nominatedNodeName", ""),
        priority=spec.get("priority") or 0,
        created_at=_instant(meta.get("creationTimestamp")),
        ports={
            port.get("name") or str(port["containerPort"]): port["containerPort"]
            for container in all_containers(spec)
            for port in container.get("ports") or ()
        },
        containers=tuple(
            _container(container, statuses.get(container["name"], {}), is_init=container["name"] in initial)
            for container in all_containers(spec)
        ),
    )


def parse_event(raw: JsonObject) -> KubernetesEvent:
    """Parses one event of the core API.

    The scheduler sets `eventTime` and `series`, the kubelet `lastTimestamp`; the latest of them counts.
    """
    about = raw.get("involvedObject", {})
    series = raw.get("series") or {}
    times = [
        series.get("lastObservedTime"),
        raw.get("lastTimestamp"),
        raw.get("eventTime"),
        raw.get("firstTimestamp"),
    ]
    return KubernetesEvent(
        kind=about.get("kind", ""),
        name=about.get("name", ""),
        uid=about.get("uid", ""),
        type=raw.get("type", ""),
        reason=raw.get("reason", ""),
        message=raw.get("message", ""),
        count=series.get("count") or raw.get("count") or 1,
        at=max((datetime.fromisoformat(time) for time in times if time), default=None),
    )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _condition(conditions: Iterable[Condition], kind: str) -> Condition | None:
    return next((condition for condition in conditions if condition.type == kind), None)


def _controller_uid(meta: JsonObject) -> str:
    owners = meta.get("ownerReferences", [])
    return next((owner["uid"] for owner in owners if owner.get("controller")), "")


def parse_conditions(status: JsonObject) -> tuple[Condition, ...]:
    """Parses `status.conditions`."""
    return tuple(
        Condition(
            type=entry["type"],
            is_true=entry["status"] == "True",
            reason=entry.get("reason", ""),
            message=entry.get("message", ""),
            updated_at=entry.get("lastUpdateTime") or entry.get("lastTransitionTime") or "",
        )
        for entry in status.get("conditions", [])
    )


def all_containers(spec: JsonObject) -> list[JsonObject]:
    """Returns the containers of a pod's specification; init containers come first."""
    return [*spec.get("initContainers", []), *spec["containers"]]


def _container(spec: JsonObject, status: JsonObject, *, is_init: bool) -> Container:
    return Container(
        name=spec["name"],
        image=spec.get("image", ""),
        state=_state(status.get("state")) or ContainerState("waiting"),
        previous=_state(status.get("lastState")),
        restarts=status.get("restartCount", 0),
        is_ready=status.get("ready", False),
        is_init=is_init,
        is_native_sidecar=is_init and spec.get("restartPolicy") == "Always",
        probe_budget_seconds=_budget(spec.get("startupProbe")) + _budget(spec.get("readinessProbe")),
        image_id=status.get("imageID", ""),
    )


def _state(raw: JsonObject | None) -> ContainerState | None:
    for phase, body in (raw or {}).items():
        return ContainerState(phase, body.get("reason", ""), body.get("message", ""), body.get("exitCode"))
    return None


def _budget(probe: JsonObject | None) -> float:
    """Returns the seconds until a probe that never succeeds has failed; the defaults are the API's."""
    if probe is None:
        return 0.0
    return float(
        probe.get("initialDelaySeconds", 0)
        + probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
        + probe.get("timeoutSeconds", 1)
    )
