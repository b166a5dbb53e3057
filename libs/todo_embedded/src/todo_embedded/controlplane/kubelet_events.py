"""The events that a kubelet writes about a pod, derived from changes of its status and annotations.

The texts are those of Kubernetes 1.34 (pkg/kubelet/{images,kuberuntime,prober}), because the release engine
reads causes of failure from them.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from todo_embedded.controlplane.object_paths import KubeObject
from todo_embedded.controlplane.pod_annotations import BehaviourKind, behaviour_of

NORMAL, WARNING = "Normal", "Warning"
FIELDS = (("initContainerStatuses", "spec.initContainers"), ("containerStatuses", "spec.containers"))


@dataclass(frozen=True, slots=True)
class KubeletEvent:
    """One event about a pod, or about its container at `field_path` (`spec.containers{web}`)."""

    type: str
    reason: str
    message: str
    field_path: str = ""


def events_between(before: KubeObject | None, after: KubeObject) -> Iterator[KubeletEvent]:
    """Yields the events for the changes of a pod, oldest first; `before` is None for a new pod."""
    behaviour = behaviour_of(after)
    is_new = before is None or behaviour_of(before) != behaviour
    if behaviour and behaviour.kind is BehaviourKind.MOUNTING and is_new:
        yield KubeletEvent(WARNING, "FailedMount", behaviour.message)
    for field, path in FIELDS:
        earlier = {status["name"]: status for status in before["status"].get(field, [])} if before else {}
        for now in after["status"].get(field, []):
            was = earlier.get(now["name"], {"state": {}, "restartCount": 0})
            if _reported_fields(was) != _reported_fields(now):
                for type_, reason, message in _container_events(was, now, after):
                    yield KubeletEvent(type_, reason, message, f"{path}{{{now['name']}}}")


def manifest(event: KubeletEvent, pod: KubeObject, *, name: str) -> dict[str, Any]:
    """Returns the Event object with which an event is first written."""
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
    """Returns the current time as the API writes it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _reported_fields(status: KubeObject) -> tuple[Any, ...]:
    """Returns the fields of a container's status whose change a kubelet reports."""
    state = status["state"]
    waiting = state.get("waiting", {})
    return (
        *state,
        waiting.get("reason"),
        waiting.get("message"),
        status["restartCount"],
        status.get("ready"),
    )


def _container_events(was: KubeObject, now: KubeObject, pod: KubeObject) -> Iterator[tuple[str, str, str]]:
    """Yields type, reason and message of each event for a change of a container's status."""
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
    behaviour = behaviour_of(pod)
    is_unready = behaviour and (behaviour.kind, behaviour.container) == (BehaviourKind.UNREADY, name)
    if behaviour and is_unready and "running" in state:
        yield WARNING, "Unhealthy", behaviour.message
