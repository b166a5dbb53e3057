"""Evaluates selectors, node selector terms, taints and tolerations as Kubernetes does. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from todo_release.adapters.kubernetes.objects import JsonObject

Labels = Mapping[str, str]
EXCLUDING_EFFECTS = ("NoSchedule", "NoExecute")

_OPERATORS: Mapping[str, Callable[[str | None, Sequence[str]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": lambda value, values: value is not None and int(value) > int(values[0]),
    "Lt": lambda value, values: value is not None and int(value) < int(values[0]),
}


def selects(selector: JsonObject | None, labels: Labels) -> bool:
    """Checks whether a LabelSelector matches labels; an empty one matches all, None nothing."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    return wanted.items() <= labels.items() and _all(selector.get("matchExpressions"), labels)


def admits(terms: Sequence[JsonObject], name: str, labels: Labels) -> bool:
    """Checks whether node selector terms match a node: one term must, with all its expressions."""
    return any(
        _all(term.get("matchExpressions"), labels)
        and _all(term.get("matchFields"), {"metadata.name": name})
        and bool(term.get("matchExpressions") or term.get("matchFields"))  # an empty term matches nothing
        for term in terms
    )


def untolerated(taints: Iterable[JsonObject], tolerations: Sequence[JsonObject]) -> list[JsonObject]:
    """Returns the taints that exclude a pod with these tolerations from a node."""
    return [
        taint
        for taint in taints
        if taint["effect"] in EXCLUDING_EFFECTS
        and not any(_tolerates(toleration, taint) for toleration in tolerations)
    ]


def _all(expressions: Iterable[Any] | None, labels: Labels) -> bool:
    return all(
        _OPERATORS[expression["operator"]](labels.get(expression["key"]), expression.get("values") or ())
        for expression in expressions or ()
    )


def _tolerates(toleration: JsonObject, taint: JsonObject) -> bool:
    if toleration.get("effect") not in {None, "", taint["effect"]}:
        return False
    key, operator = toleration.get("key") or "", toleration.get("operator") or "Equal"
    if operator == "Exists":
        return key in {"", taint["key"]}
    return bool(key == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or ""))
