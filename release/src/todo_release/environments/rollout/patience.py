"""How long each problem of a rollout is waited for: settings, annotations, and what may still help.

The defaults follow Kubernetes: what its controllers or an autoscaler may yet repair is waited for; what only
a person can correct is told at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import ValidationError

from todo_release.adapters.kubernetes.api_resources import NODES
from todo_release.adapters.kubernetes.manifest import RenderedManifest, RenderedObject, part_of
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.config.model import Config
from todo_release.config.preflight import NodePools
from todo_release.config.rollout import RolloutSettings
from todo_release.errors import ClusterError

ANNOTATION_PREFIX = "rollout.release-engine.dev/"
NOT_BY_WORKLOAD = "hook_timeout_seconds"
STARTING_NODE_TAINTS = ("node.kubernetes.io/not-ready", "node.cloudprovider.kubernetes.io/uninitialized")
# Where each kind of object says which Secret its controller creates; by default it has the object's name.
SECRET_NAMES = {
    "ExternalSecret": ("spec", "target", "name"),
    "SealedSecret": ("spec", "template", "metadata", "name"),
    "Certificate": ("spec", "secretName"),
}


class NodeReader(Protocol):
    """What is needed of a cluster to see whether it may grow."""

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Any]:
        """Returns the items of a list."""


@dataclass(frozen=True, slots=True)
class Patience:
    """The settings of an environment, and what may repair a rollout by itself.

    Attributes:
        settings: Those of release.yaml; annotations of a workload win.
        managed_secrets: Names of the Secrets that controllers create from objects of the chart.
        node_pools: The limits of the cluster's growth; None when it does not grow.
        may_grow: True while the node pools may get another node.
    """

    settings: RolloutSettings = field(default_factory=RolloutSettings)
    managed_secrets: frozenset[str] = frozenset()
    node_pools: NodePools | None = None
    may_grow: bool = False

    def settings_of(self, annotations: Mapping[str, str]) -> RolloutSettings:
        """Returns the settings of a workload; annotations that preflight refuses do not count."""
        return self.settings.model_copy(update=_overrides(annotations))

    def is_managed(self, text: str) -> bool:
        """Returns True when a message names a Secret that a controller creates."""
        return any(f"'{name}'" in text or f"({name})" in text for name in self.managed_secrets)


def patience_of(config: Config, environment: str, manifest: RenderedManifest) -> Patience:
    """Returns the patience with a rollout of a manifest to an environment."""
    return Patience(
        settings=config.rollout_of(environment),
        managed_secrets=frozenset(_managed_secrets(manifest)),
        node_pools=config.preflight.node_pools,
    )


def annotation_problems(annotations: Mapping[str, str]) -> Iterator[str]:
    """Yields what is wrong with the annotations of a workload."""
    known = ", ".join(_annotation(name) for name in RolloutSettings.model_fields if name != NOT_BY_WORKLOAD)
    for name, text in _own(annotations).items():
        if name not in RolloutSettings.model_fields or name == NOT_BY_WORKLOAD:
            yield f"The annotation {_annotation(name)} is not known; known are: {known}."
        elif _valid(name, text) is None:
            yield f"The annotation {_annotation(name)} is {text!r}, which is not a number that is allowed."


def may_grow(cluster: NodeReader, pools: NodePools | None) -> bool:
    """Returns whether the node pools may get another node, or a new one is starting.

    Where nodes may not be read it returns True, because whoever declares pools expects them to grow.
    """
    if pools is None:
        return False
    try:
        nodes = cluster.items(NODES.path(), {"labelSelector": pools.label})
    except ClusterError:
        return True
    # As in preflight's simulation, pools of which no node has the label do not grow.
    return 0 < len(nodes) < pools.max_nodes or any(_is_starting(node) for node in nodes)


def _is_starting(node: JsonObject) -> bool:
    taints = node["spec"].get("taints") or ()
    return any(taint["key"] in STARTING_NODE_TAINTS for taint in taints)


def _managed_secrets(manifest: RenderedManifest) -> Iterator[str]:
    for rendered in manifest.objects:
        path = SECRET_NAMES.get(rendered.kind)
        if path is not None:
            yield _secret_name(rendered, path)


def _secret_name(rendered: RenderedObject, path: tuple[str, ...]) -> str:
    return str(part_of(rendered.body, path) or rendered.name)


def _annotation(name: str) -> str:
    return ANNOTATION_PREFIX + name.replace("_", "-")


def _own(annotations: Mapping[str, str]) -> dict[str, str]:
    return {
        key.removeprefix(ANNOTATION_PREFIX).replace("-", "_"): text
        for key, text in annotations.items()
        if key.startswith(ANNOTATION_PREFIX)
    }


def _overrides(annotations: Mapping[str, str]) -> dict[str, Any]:
    values = {
        name: _valid(name, text)
        for name, text in _own(annotations).items()
        if name in RolloutSettings.model_fields and name != NOT_BY_WORKLOAD
    }
    return {name: value for name, value in values.items() if value is not None}


def _valid(name: str, text: str) -> float | None:
    try:
        value: float | None = getattr(RolloutSettings.model_validate({name: text}), name)
    except ValidationError:
        return None
    return value
