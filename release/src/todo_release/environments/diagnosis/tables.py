"""Tables of what a namespace looked like, as text a person reads beside a failed release.

Only what explains a failure is taken from an object; specifications, where environment values stand, are left
out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from todo_release.adapters.kubernetes.objects import Pod, parse_event, parse_pod


@dataclass(frozen=True, slots=True)
class EvidenceTable:
    """Where a list is read (`{}` is the namespace) and how it is written."""

    template: str
    write: Callable[[Iterable[Any]], str]

    def path(self, namespace: str) -> str:
        """The list's path below the API server's root."""
        return self.template.format(namespace)


def _events(items: Iterable[Any]) -> str:
    events = sorted(map(parse_event, items), key=lambda one: one.at.timestamp() if one.at else 0.0)
    rows = [
        [f"{one.at:%H:%M:%S}" if one.at else "", one.type, f"{one.kind}/{one.name}", one.reason,
         str(one.count), " ".join(one.message.split())]
        for one in events
    ]  # fmt: skip
    return _table(["last", "type", "object", "reason", "times", "message"], rows)


def _pods(items: Iterable[Any]) -> str:
    rows = [
        [pod.name, pod.node or "-", container.name, str(container.restarts), _state(container.state.phase,
         container.state.reason), _ended(pod, container.name), container.image]
        for pod in map(parse_pod, items)
        for container in pod.containers
    ]  # fmt: skip
    return _table(["pod", "node", "container", "restarts", "state", "ended before", "image"], rows)


def _ended(pod: Pod, container: str) -> str:
    previous = next(one.previous for one in pod.containers if one.name == container)
    return f"{previous.reason} {previous.exit_code}" if previous else "-"


def _state(phase: str, reason: str) -> str:
    return f"{phase} ({reason})" if reason else phase


def _conditions(items: Iterable[Any]) -> str:
    rows = [
        [one["metadata"]["name"], condition["type"], condition["status"], condition.get("reason", ""),
         condition.get("message", "")]
        for one in items
        for condition in one.get("status", {}).get("conditions", [])
    ]  # fmt: skip
    return _table(["name", "condition", "status", "reason", "message"], rows)


def _quotas(items: Iterable[Any]) -> str:
    rows = [
        [one["metadata"]["name"], resource, one["status"].get("used", {}).get(resource, "?"), limit]
        for one in items
        for resource, limit in one.get("status", {}).get("hard", {}).items()
    ]
    return _table(["quota", "resource", "used", "limit"], rows)


def _limits(items: Iterable[Any]) -> str:
    rows = [
        [one["metadata"]["name"], limit["type"], kind, resource, value]
        for one in items
        for limit in one["spec"]["limits"]
        for kind in ("min", "default", "defaultRequest", "max")
        for resource, value in limit.get(kind, {}).items()
    ]
    return _table(["limit range", "type", "kind", "resource", "value"], rows)


def _nodes(items: Iterable[Any]) -> str:
    rows = []
    for node in items:
        status = node["status"]
        troubles = [
            one["type"]
            for one in status["conditions"]
            if (one["status"] == "True") != (one["type"] == "Ready")
        ]
        room = status["allocatable"]
        rows.append(
            [node["metadata"]["name"], ", ".join(troubles) or "ok", room["cpu"], room["memory"], room["pods"]]
        )
    return _table(["node", "state", "allocatable cpu", "memory", "pods"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]
    ]
    return "".join(f"{line.rstrip()}\n" for line in lines)


TABLES: Mapping[str, EvidenceTable] = {
    "events": EvidenceTable("api/v1/namespaces/{}/events", _events),
    "pods": EvidenceTable("api/v1/namespaces/{}/pods", _pods),
    "deployments": EvidenceTable("apis/apps/v1/namespaces/{}/deployments", _conditions),
    "jobs": EvidenceTable("apis/batch/v1/namespaces/{}/jobs", _conditions),
    "quotas": EvidenceTable("api/v1/namespaces/{}/resourcequotas", _quotas),
    "limits": EvidenceTable("api/v1/namespaces/{}/limitranges", _limits),
    "nodes": EvidenceTable("api/v1/nodes", _nodes),
}
