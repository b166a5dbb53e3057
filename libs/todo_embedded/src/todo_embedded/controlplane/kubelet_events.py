"""The events a kubelet writes about a pod, read off how its status and its marks changed.

The words are those of Kubernetes 1.34 (pkg/kubelet/{images,kuberuntime,prober}): releases are judged by them.
"""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from todo_embedded.controlplane.pod_annotations import Kind, fate_of

Json = Mapping[str, Any]
NORMAL, WARNING = "Normal", "Warning"
FIELDS = (("initContainerStatuses", "spec.initContainers"), ("containerStatuses", "spec.containers"))


@dataclass(frozen=True, slots=True)
class Event:
    """One event about a pod, or about its container at `field_path` (`spec.containers{web}`)."""

    type: str
    reason: str
    message: str
    field_path: str = ""


def events_between(before: Json | None, after: Json) -> Iterator[Event]:
    """What happened between two looks at a pod, oldest first; `before` is None at the first."""
    fate = fate_of(after)
    if fate and fate.kind is Kind.MOUNTING and (before is None or fate_of(before) != fate):
        yield Event(WARNING, "FailedMount", fate.message)
    for field, path in FIELDS:
        known = {one["name"]: one for one in before["status"].get(field, [])} if before else {}
        for now in after["status"].get(field, []):
            was = known.get(now["name"], {"state": {}, "restartCount": 0})
            if _course(was) != _course(now):
                for kind, reason, message in _told(was, now, after):
                    yield Event(kind, reason, message, f"{path}{{{now['name']}}}")


def manifest(event: Event, pod: Json, *, name: str) -> dict[str, Any]:
    """The object by which an event about a pod is first told."""
    meta = pod["metadata"]
    about = {"apiVersion": "v1", "kind": "Pod", "fieldPath": event.field_path}
    now = timestamp()
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": meta["namespace"]},
        "involvedObject": about | {key: meta[key] for key in ("namespace", "name", "uid")},
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


def _course(status: Json) -> tuple[Any, ...]:
    """What of a container's status, when it changes, is worth an event."""
    state = status["state"]
    waiting = state.get("waiting", {})
    return (
        *state,
        waiting.get("reason"),
        waiting.get("message"),
        status["restartCount"],
        status.get("ready"),
    )


def _told(was: Json, now: Json, pod: Json) -> Iterator[tuple[str, str, str]]:
    """Type, reason and message of what a kubelet says when a container's status has changed."""
    name, image, state = now["name"], now["image"], now["state"]
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
            meta = pod["metadata"]
            where = f"pod {meta['name']}_{meta['namespace']}({meta['uid']})"
            yield WARNING, "BackOff", f"Back-off restarting failed container {name} in {where}"
        case None if "running" not in was["state"] or was["restartCount"] != now["restartCount"]:
            yield NORMAL, "Pulled", f'Container image "{image}" already present on machine'
            yield NORMAL, "Created", f"Created container: {name}"
            yield NORMAL, "Started", f"Started container {name}"
    fate = fate_of(pod)
    if "running" in state and fate and fate.kind is Kind.UNREADY and fate.container == name:
        yield WARNING, "Unhealthy", fate.message
