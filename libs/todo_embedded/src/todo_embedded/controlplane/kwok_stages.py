"""What kwok plays in the place of kubelets: stages of nodes, and of the pods that `fates` has marked.

They come in kwok's `--config` file and not as custom resources, so that the cluster has no kinds the real one
lacks. What a stage writes is in pod_status.gotmpl; when it is played, and after how long, is here.
"""

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from todo_embedded.controlplane.pod_annotations import CONTAINER, KIND, MESSAGE, Kind

API_VERSION = "kwok.x-k8s.io/v1alpha1"
PULLING_REASONS = ("ErrImagePull", "ImagePullBackOff")

# jq expressions over a pod
_TROUBLED = (
    ". as $pod | [.status.initContainerStatuses[]?, .status.containerStatuses[]?]"
    f' | map(select(.name == $pod.metadata.annotations["{CONTAINER}"])) | .[0]'
)
_WAITING_FOR = f"{_TROUBLED} | .state.waiting.reason"
_RUNS = f"{_TROUBLED} | .state.running != null"
_RUNS_UNREADY = f"{_TROUBLED} | .state.running != null and .ready == false"
_SAYS_SO = f'{_TROUBLED} | .state.waiting.message == $pod.metadata.annotations["{MESSAGE}"]'
_IS_READY = '.status.conditions[]? | select(.type == "Ready") | .status'
_MOUNTS = (
    "[.status.containerStatuses[]?.state.waiting.reason]"
    ' | length > 0 and all(. == "ContainerCreating" or . == "PodInitializing")'
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long simulated pods take, in seconds; real ones take longer, what comes out is the same.

    `start`: until a container runs. `work`: until the pod of a Job is done. `crash`: how long a crashing
    container runs. `back_off`: until it is started again, and until what is missing is looked for again.
    """

    start: float = 0.2
    work: float = 0.2
    crash: float = 0.2
    back_off: float = 1.0


QUICK = Pace()


@dataclass(frozen=True, slots=True)
class _Stage:
    """One step of a pod: played for these fates when all of `when` holds (jq, operator, values)."""

    step: str
    fates: tuple[Kind, ...]
    when: tuple[tuple[str, str, tuple[str, ...]], ...]
    delay_seconds: float = 0


def write_stages(path: Path, pace: Pace) -> Path:
    """Write kwok's configuration and return its path."""
    empty_log = path.with_suffix(".log")
    empty_log.touch()
    objects = [_node_ready(), _pod_delete(), *map(_manifest, _stages(pace)), _no_logs(empty_log)]
    path.write_text("\n---\n".join(json.dumps(one) for one in objects))
    return path


def _stages(pace: Pace) -> list[_Stage]:
    starting = (Kind.RUNNING, Kind.COMPLETING, Kind.FAILING)
    in_back_off = (_WAITING_FOR, "In", ("CrashLoopBackOff",))
    is_running_pod = ((".status.phase", "In", ("Running",)), (_IS_READY, "In", ("True",)))
    return [
        _Stage("mounting", (Kind.MOUNTING,), ((_MOUNTS, "NotIn", ("true",)),)),
        _Stage("pull-failed", (Kind.REFUSED,), ((_WAITING_FOR, "NotIn", PULLING_REASONS),)),
        _Stage("pull-backed-off", (Kind.REFUSED,), ((_WAITING_FOR, "In", ("ErrImagePull",)),), pace.back_off),
        _Stage("misconfigured", (Kind.MISCONFIGURED,), ((_SAYS_SO, "NotIn", ("true",)),)),
        _Stage(
            "running",
            starting,
            ((".status.phase", "NotIn", ("Succeeded", "Failed")), (_IS_READY, "NotIn", ("True",))),
            pace.start,
        ),
        _Stage("unready", (Kind.UNREADY,), ((_RUNS_UNREADY, "NotIn", ("true",)),), pace.start),
        _Stage(
            "started",
            (Kind.CRASHING,),
            ((_RUNS, "NotIn", ("true",)), (_WAITING_FOR, "NotIn", ("CrashLoopBackOff",))),
            pace.start,
        ),
        _Stage("crashed", (Kind.CRASHING,), ((_RUNS, "In", ("true",)),), pace.crash),
        _Stage("restarted", (Kind.CRASHING,), (in_back_off,), pace.back_off),
        _Stage("completed", (Kind.COMPLETING,), is_running_pod, pace.work),
        _Stage("failed", (Kind.FAILING,), is_running_pod, pace.crash),
    ]


def _manifest(stage: _Stage) -> dict[str, Any]:
    template = resources.files("todo_embedded.controlplane") / "pod_status.gotmpl"
    expressions = [
        (".metadata.deletionTimestamp", "DoesNotExist", ()),
        (f'.metadata.annotations["{KIND}"]', "In", stage.fates),
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
    """Pods go at once: nothing in them needs their grace."""
    return _stage("pod-delete", "Pod", [(".metadata.deletionTimestamp", "Exists", ())], {"delete": True})


def _no_logs(log: Path) -> dict[str, Any]:
    """Every container has an empty log, so that who asks for it is answered."""
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
