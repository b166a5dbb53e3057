"""kwok's configuration: Stage objects that set the status of nodes and of pods with a behaviour annotation.

They are in kwok's `--config` file and not custom resources, so that the cluster has no kinds that a real one
lacks. This module says when a stage applies and after which delay; pod_status.gotmpl is what it writes.
"""

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from todo_embedded.controlplane.pod_annotations import CONTAINER, KIND, MESSAGE, BehaviourKind

API_VERSION = "kwok.x-k8s.io/v1alpha1"
PULLING_REASONS = ("ErrImagePull", "ImagePullBackOff")

# jq expressions over a pod
_AFFECTED_CONTAINER = (
    ". as $pod | [.status.initContainerStatuses[]?, .status.containerStatuses[]?]"
    f' | map(select(.name == $pod.metadata.annotations["{CONTAINER}"])) | .[0]'
)
_WAITING_REASON = f"{_AFFECTED_CONTAINER} | .state.waiting.reason"
_IS_RUNNING = f"{_AFFECTED_CONTAINER} | .state.running != null"
_IS_RUNNING_UNREADY = f"{_AFFECTED_CONTAINER} | .state.running != null and .ready == false"
_HAS_MESSAGE = f'{_AFFECTED_CONTAINER} | .state.waiting.message == $pod.metadata.annotations["{MESSAGE}"]'
_IS_READY = '.status.conditions[]? | select(.type == "Ready") | .status'
_IS_MOUNTING = (
    "[.status.containerStatuses[]?.state.waiting.reason]"
    ' | length > 0 and all(. == "ContainerCreating" or . == "PodInitializing")'
)


@dataclass(frozen=True, slots=True)
class Pace:
    """Durations of simulated pods, in seconds; those of real pods are longer, with the same result.

    `start`: until a container runs. `work`: until the pod of a Job is done. `crash`: how long a crashing
    container runs. `back_off`: until it is restarted, and until a missing object is looked up again.
    """

    start: float = 0.2
    work: float = 0.2
    crash: float = 0.2
    back_off: float = 1.0


QUICK = Pace()


@dataclass(frozen=True, slots=True)
class _PodStage:
    """A status change: for pods of these behaviours when all of `when` holds (jq, operator, values)."""

    step: str
    behaviours: tuple[BehaviourKind, ...]
    when: tuple[tuple[str, str, tuple[str, ...]], ...]
    delay_seconds: float = 0


def write_stages(path: Path, pace: Pace) -> Path:
    """Writes kwok's configuration and returns its path."""
    empty_log = path.with_suffix(".log")
    empty_log.touch()
    objects = [_node_ready(), _pod_delete(), *map(_pod_stage, _pod_stages(pace)), _no_logs(empty_log)]
    path.write_text("\n---\n".join(json.dumps(manifest) for manifest in objects))
    return path


def _pod_stages(pace: Pace) -> list[_PodStage]:
    starting = (BehaviourKind.RUNNING, BehaviourKind.COMPLETING, BehaviourKind.FAILING)
    in_back_off = (_WAITING_REASON, "In", ("CrashLoopBackOff",))
    is_running_pod = ((".status.phase", "In", ("Running",)), (_IS_READY, "In", ("True",)))
    return [
        _PodStage("mounting", (BehaviourKind.MOUNTING,), ((_IS_MOUNTING, "NotIn", ("true",)),)),
        _PodStage("pull-failed", (BehaviourKind.REFUSED,), ((_WAITING_REASON, "NotIn", PULLING_REASONS),)),
        _PodStage(
            "pull-backed-off",
            (BehaviourKind.REFUSED,),
            ((_WAITING_REASON, "In", ("ErrImagePull",)),),
            pace.back_off,
        ),
        _PodStage("misconfigured", (BehaviourKind.MISCONFIGURED,), ((_HAS_MESSAGE, "NotIn", ("true",)),)),
        _PodStage(
            "running",
            starting,
            ((".status.phase", "NotIn", ("Succeeded", "Failed")), (_IS_READY, "NotIn", ("True",))),
            pace.start,
        ),
        _PodStage(
            "unready", (BehaviourKind.UNREADY,), ((_IS_RUNNING_UNREADY, "NotIn", ("true",)),), pace.start
        ),
        _PodStage(
            "started",
            (BehaviourKind.CRASHING,),
            ((_IS_RUNNING, "NotIn", ("true",)), (_WAITING_REASON, "NotIn", ("CrashLoopBackOff",))),
            pace.start,
        ),
        _PodStage("crashed", (BehaviourKind.CRASHING,), ((_IS_RUNNING, "In", ("true",)),), pace.crash),
        _PodStage("restarted", (BehaviourKind.CRASHING,), (in_back_off,), pace.back_off),
        _PodStage("completed", (BehaviourKind.COMPLETING,), is_running_pod, pace.work),
        _PodStage("failed", (BehaviourKind.FAILING,), is_running_pod, pace.crash),
    ]


def _pod_stage(stage: _PodStage) -> dict[str, Any]:
    template = resources.files("todo_embedded.controlplane") / "pod_status.gotmpl"
    expressions = [
        (".metadata.deletionTimestamp", "DoesNotExist", ()),
        (f'.metadata.annotations["{KIND}"]', "In", stage.behaviours),
        *stage.when,
    ]
    patch = _status_patch(f'{{{{- $step := "{stage.step}" -}}}}\n{template.read_text()}')
    return _stage(f"pod-{stage.step}", "Pod", expressions, patch, stage.delay_seconds)


def _node_ready() -> dict[str, Any]:
    template = """
    {{- $now := Now }}
    conditions:
    {{- range NodeConditions }}
    - type: {{ .type }}
      status: {{ .status | Quote }}
      reason: {{ .reason }}
      message: {{ .message | Quote }}
      lastHeartbeatTime: {{ $now | Quote }}
      lastTransitionTime: {{ $now | Quote }}
    {{- end }}
    """
    return _stage("node-ready", "Node", [(_IS_READY, "NotIn", ("True",))], _status_patch(template))


def _pod_delete() -> dict[str, Any]:
    """Returns the stage that removes deleted pods at once: nothing in them needs the grace period."""
    return _stage("pod-delete", "Pod", [(".metadata.deletionTimestamp", "Exists", ())], {"delete": True})


def _no_logs(log: Path) -> dict[str, Any]:
    """Returns kwok's setting that every container has an empty log, so that reading logs does not fail."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ClusterLogs",
        "metadata": {"name": "logs"},
        "spec": {"logs": [{"logsFile": str(log), "previousLogsFile": str(log)}]},
    }


def _status_patch(template: str) -> dict[str, Any]:
    return {"patch": {"subresource": "status", "root": "status", "type": "strategic", "template": template}}


def _stage(
    name: str,
    kind: str,
    expressions: list[tuple[str, str, tuple[str, ...]]],
    step: dict[str, Any],
    delay_seconds: float = 0,
) -> dict[str, Any]:
    jq = [
        {"jq": {"key": key, "operator": operator} | ({"values": values} if values else {})}
        for key, operator, values in expressions
    ]
    return {
        "apiVersion": API_VERSION,
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": jq},
            "delay": {"durationMilliseconds": round(delay_seconds * 1000)},
            "steps": [step],
        },
    }
