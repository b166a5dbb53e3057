"""Kubernetes selectors: whether labels are chosen by a selector, a node by its terms, a taint tolerated.
Pure.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from todo_release.adapters.kubernetes.objects import JsonObject

Labels = Mapping[str, str]
KEEPS_OUT = ("NoSchedule", "NoExecute")

_OPERATORS: Mapping[str, Callable[[str | None, Sequence[str]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": lambda value, values: value is not None and int(value) > int(values[0]),
    "Lt": lambda value, values: value is not None and int(value) < int(values[0]),
}


def selects(selector: JsonObject | None, labels: Labels) -> bool:
    """Whether a LabelSelector chooses labels; an empty one chooses all, None nothing."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    return wanted.items() <= labels.items() and _all(selector.get("matchExpressions"), labels)


def admits(terms: Sequence[JsonObject], name: str, labels: Labels) -> bool:
    """Whether node selector terms choose a node: one of them must, with all its expressions."""
    return any(
        _all(term.get("matchExpressions"), labels)
        and _all(term.get("matchFields"), {"metadata.name": name})
        and bool(term.get("matchExpressions") or term.get("matchFields"))  # an empty term chooses nothing
        for term in terms
    )


def untolerated(taints: Iterable[JsonObject], tolerations: Sequence[JsonObject]) -> list[JsonObject]:
    """The taints that keep out a pod with these tolerations."""
    return [
        taint
        for taint in taints
        if taint["effect"] in KEEPS_OUT and not any(_tolerates(one, taint) for one in tolerations)
    ]


def _all(expressions: Iterable[Any] | None, labels: Labels) -> bool:
    return all(
        _OPERATORS[one["operator"]](labels.get(one["key"]), one.get("values") or ())
        for one in expressions or ()
    )


def _tolerates(toleration: JsonObject, taint: JsonObject) -> bool:
    if toleration.get("effect") not in {None, "", taint["effect"]}:
        return False
    key, context = toleration.get("key") or "", toleration.get("operator") or "Equal"
    if context == "Exists":
        return key in {"", taint["key"]}
    return bool(key == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or ""))
