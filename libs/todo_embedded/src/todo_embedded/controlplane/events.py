"""The events a kubelet writes about a pod, read off how its status and its marks changed.

The words are those of Kubernetes 1.34 (pkg/kubelet/{images,kuberuntime,prober}): releases are judged by them.
"""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from todo_embedded.controlplane.marks import Fate, Kind, fate_of

Json = Mapping[str, Any]
NORMAL, WARNING = "Normal", "Warning"


@dataclass(frozen=True, slots=True)
class Event:
    """One event about a pod, or about one container of it."""

    type: str
    reason: str
    message: str
    container: str = ""
    is_init: bool = False


def events_between(before: Json | None, after: Json) -> Iterator[Event]:
    """What happened between two looks at a pod, oldest first; `before` is None at the first."""
    fate = fate_of(after)
    if fate and fate.kind is Kind.MOUNTING and (before is None or fate_of(before) != fate):
        yield Event(WARNING, "FailedMount", fate.message)
    known = dict(_containers(before)) if before else {}
    for key, now in _containers(after):
        was = known.get(key, {})
        if _course(was) != _course(now):
            name, is_init = key
            image = next(
                one["image"] for one in after["spec"]["initContainers" if is_init else "containers"] if one["name"] == name
            )
            for type_, reason, message in _told(now, was, after["metadata"], name, image, fate):
                yield Event(type_, reason, message, name, is_init)


def _containers(pod: Json) -> Iterator[tuple[tuple[str, bool], Json]]:
    status = pod.get("status", {})
    for field, is_init in (("initContainerStatuses", True), ("containerStatuses", False)):
        for one in status.get(field, []):
            yield (one["name"], is_init), one


def _course(status: Json) -> tuple[Any, ...]:
    """What of a container's status, when it changes, is worth an event."""
    state = status.get("state", {})
    phase = next(iter(state), "")
    return phase, state.get(phase, {}).get("reason"), state.get(phase, {}).get("message"), status.get("restartCount"), status.get("ready")


def _told(
    now: Json, was: Json, meta: Json, name: str, image: str, fate: Fate | None
) -> Iterator[tuple[str, str, str]]:
    state = now["state"]
    waiting = state.get("waiting", {})
    match waiting.get("reason"):
        case "ErrImagePull":
            yield NORMAL, "Pulling", f'Pulling image "{image}"'
            yield WARNING, "Failed", f'Failed to pull image "{image}": {waiting["message"]}'
            yield WARNING, "Failed", "Error: ErrImagePull"
        case "ImagePullBackOff":
            yield NORMAL, "BackOff", f'Back-off pulling image "{image}"'
            yield WARNING, "Failed", "Error: ImagePullBackOff"
        case "CreateContainerConfigError":
            yield NORMAL, "Pulled", f'Container image "{image}" already present on machine'
            yield WARNING, "Failed", f"Error: {waiting['message']}"
        case "CrashLoopBackOff":
            pod = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
            yield WARNING, "BackOff", f"Back-off restarting failed container {name} in pod {pod}"
    if not waiting and ("running" not in was.get("state", {}) or was["restartCount"] != now["restartCount"]):
        yield NORMAL, "Pulled", f'Container image "{image}" already present on machine'
        yield NORMAL, "Created", f"Created container: {name}"
        yield NORMAL, "Started", f"Started container {name}"
    if "running" in state and fate and fate.kind is Kind.UNREADY and fate.container == name:
        yield WARNING, "Unhealthy", fate.message


def manifest(event: Event, pod: Json, *, name: str) -> dict[str, Any]:
    """The object by which an event about a pod is first told."""
    meta = pod["metadata"]
    about = {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
    }
    if event.container:
        about["fieldPath"] = f"spec.{'initContainers' if event.is_init else 'containers'}{{{event.container}}}"
    now = timestamp()
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": meta["namespace"]},
        "involvedObject": about,
        "type": event.type,
        "reason": event.reason,
        "message": event.message,
        "source": {"component": "kubelet", "host": pod["spec"]["nodeName"]},
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
    }


def timestamp() -> str:
    """Now, as the API writes times."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
