"""Tables of evidence: the state of a namespace as plain text.

Only what explains a failure is taken from an object; specifications are left out because they may hold
environment values.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from todo_release.adapters.kubernetes.api_resources import (
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    LIMIT_RANGES,
    NODES,
    PODS,
    QUOTAS,
    Resource,
)
from todo_release.adapters.kubernetes.objects import Pod, parse_event, parse_pod


@dataclass(frozen=True, slots=True)
class EvidenceTable:
    """A list of the API server, and how its items are written as a table."""

    resource: Resource
    write: Callable[[Iterable[Any]], str]


def _events(items: Iterable[Any]) -> str:
    events = sorted(map(parse_event, items), key=lambda event: event.at.timestamp() if event.at else 0.0)
    rows = [
        [f"{event.at:%H:%M:%S}" if event.at else "", event.type, f"{event.kind}/{event.name}", event.reason,
         str(event.count), " ".join(event.message.split())]
        for event in events
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
    previous = next(candidate.previous for candidate in pod.containers if candidate.name == container)
    return f"{previous.reason} {previous.exit_code}" if previous else "-"


def _state(phase: str, reason: str) -> str:
    return f"{phase} ({reason})" if reason else phase


def _conditions(items: Iterable[Any]) -> str:
    rows = [
        [item["metadata"]["name"], condition["type"], condition["status"], condition.get("reason", ""),
         condition.get("message", "")]
        for item in items
        for condition in item.get("status", {}).get("conditions", [])
    ]  # fmt: skip
    return _table(["name", "condition", "status", "reason", "message"], rows)


def _quotas(items: Iterable[Any]) -> str:
    rows = [
        [quota["metadata"]["name"], resource, quota["status"].get("used", {}).get(resource, "?"), limit]
        for quota in items
        for resource, limit in quota.get("status", {}).get("hard", {}).items()
    ]
    return _table(["quota", "resource", "used", "limit"], rows)


def _limits(items: Iterable[Any]) -> str:
    rows = [
        [limit_range["metadata"]["name"], limit["type"], kind, resource, value]
        for limit_range in items
        for limit in limit_range["spec"]["limits"]
        for kind in ("min", "default", "defaultRequest", "max")
        for resource, value in limit.get(kind, {}).items()
    ]
    return _table(["limit range", "type", "kind", "resource", "value"], rows)


def _nodes(items: Iterable[Any]) -> str:
    rows = []
    for node in items:
        status = node["status"]
        problems = [
            condition["type"]
            for condition in status["conditions"]
            if (condition["status"] == "True") != (condition["type"] == "Ready")
        ]
        allocatable = status["allocatable"]
        rows.append(
            [
                node["metadata"]["name"],
                ", ".join(problems) or "ok",
                allocatable["cpu"],
                allocatable["memory"],
                allocatable["pods"],
            ]
        )
    return _table(["node", "state", "allocatable cpu", "memory", "pods"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]
    ]
    return "".join(f"{line.rstrip()}\n" for line in lines)


TABLES: Mapping[str, EvidenceTable] = {
    "events": EvidenceTable(EVENTS, _events),
    "pods": EvidenceTable(PODS, _pods),
    "deployments": EvidenceTable(DEPLOYMENTS, _conditions),
    "jobs": EvidenceTable(JOBS, _conditions),
    "quotas": EvidenceTable(QUOTAS, _quotas),
    "limits": EvidenceTable(LIMIT_RANGES, _limits),
    "nodes": EvidenceTable(NODES, _nodes),
}
