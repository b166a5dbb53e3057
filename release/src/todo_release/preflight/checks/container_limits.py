"""Checks requests and limits against LimitRanges and quotas, as admission does. A rule of `capacity`."""

import operator
from collections.abc import Iterator, Mapping
from typing import Any

from todo_release.adapters.kubernetes.api_resources import LIMIT_RANGES, QUOTAS
from todo_release.adapters.kubernetes.manifest import PodTemplate
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.kubernetes.quantities import parse_quantity
from todo_release.preflight.finding import Finding, Findings, error
from todo_release.preflight.scheduling.pod_requirements import QUOTA_ALIASES, admitted_spec
from todo_release.preflight.snapshot import PreflightSnapshot


def limits_are_admitted(snapshot: PreflightSnapshot) -> Findings:
    """Checks that admission accepts the requests and limits of every container."""
    limit_ranges = snapshot.in_namespace(LIMIT_RANGES)
    quota_keys = {
        QUOTA_ALIASES.get(key, key)
        for quota in snapshot.in_namespace(QUOTAS)
        for key in quota["spec"].get("hard", {})
    }
    rules = [
        rule
        for limit_range in limit_ranges
        for rule in limit_range["spec"]["limits"]
        if rule["type"] == "Container"
    ]
    for template in snapshot.manifest.pods():
        spec = admitted_spec(template, limit_ranges)
        for container in (*spec["initContainers"], *spec["containers"]):
            yield from _missing_for_quota(template, container, quota_keys)
            for rule in rules:
                yield from _out_of_range(template, container, rule)


def _missing_for_quota(
    template: PodTemplate, container: JsonObject, quota_keys: set[str]
) -> Iterator[Finding]:
    for part in ("requests", "limits"):
        missing = [
            name
            for name in ("cpu", "memory")
            if f"{part}.{name}" in quota_keys and name not in container["resources"][part]
        ]
        if missing:
            yield error(
                template.owner.subject,
                f"Container {container['name']} has no {part} of {' and '.join(missing)}, which the "
                "namespace's quota counts: its pods are refused.",
                "Set it in the values, or give the namespace a LimitRange with defaults.",
                (*template.field, "spec", "containers"),
            )


def _out_of_range(template: PodTemplate, container: JsonObject, rule: Mapping[str, Any]) -> Iterator[Finding]:
    for bound, part, is_beyond in (("max", "limits", operator.gt), ("min", "requests", operator.lt)):
        for key, limit in (rule.get(bound) or {}).items():
            quantity = container["resources"][part].get(key)
            if quantity is not None and is_beyond(parse_quantity(quantity), parse_quantity(limit)):
                yield error(
                    template.owner.subject,
                    f"Container {container['name']} has {part} of {quantity} {key}, the LimitRange's {bound} "
                    f"is {limit}: its pods are refused.",
                    "Change it in the values, or change the LimitRange.",
                    (*template.field, "spec", "containers"),
                )
