"""The rules that Prometheus gets, by file: those that the chart renders, and those of the whole cluster."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).with_name("rule_cases")
STACK_VALUES = ROOT / "k8s/cluster-bootstrap/values/kube-prometheus-stack.yaml"
Groups = list[dict[str, Any]]


def stack_values() -> dict[str, Any]:
    """Returns the values of kube-prometheus-stack."""
    values: dict[str, Any] = yaml.safe_load(STACK_VALUES.read_text(encoding="utf-8"))
    return values


def cluster_groups() -> Groups:
    """Returns the groups of rules of the whole cluster."""
    [rules] = stack_values()["additionalPrometheusRulesMap"].values()
    groups: Groups = rules["groups"]
    return groups


def groups_by_file(rendered: Any, release: str) -> dict[str, Groups]:
    """Returns the groups of each file of rules of a rendered release, and those of the cluster."""
    by_file = {
        item["metadata"]["name"].removeprefix(f"{release}-"): item["spec"]["groups"]
        for item in rendered.of_kind("PrometheusRule")
    }
    return {**by_file, "cluster": cluster_groups()}


def rules_of(groups: Groups, kind: str) -> dict[str, dict[str, Any]]:
    """Returns the rules of a kind (`alert` or `record`) by name."""
    return {rule[kind]: rule for group in groups for rule in group["rules"] if kind in rule}


def without_annotations(groups: Groups) -> Groups:
    """Returns the groups without the texts of alerts, which cases would have to repeat."""
    return [
        {
            **group,
            "rules": [
                {key: value for key, value in rule.items() if key != "annotations"} for rule in group["rules"]
            ],
        }
        for group in groups
    ]


def cases(name: str) -> list[dict[str, Any]]:
    """Returns the cases of a file."""
    document = yaml.safe_load((CASES / f"{name}.yaml").read_text(encoding="utf-8"))
    tests: list[dict[str, Any]] = document["tests"]
    return tests
