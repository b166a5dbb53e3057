"""Value types of the simulation: amounts, nodes, pods and quotas, reduced to what scheduling depends on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.kubernetes.selectors import Labels


@dataclass(frozen=True, slots=True)
class ResourceAmount:
    """CPU in millicores, memory in bytes."""

    cpu: int = 0
    memory: int = 0

    def __add__(self, other: "ResourceAmount") -> "ResourceAmount":
        """Returns the sum."""
        return ResourceAmount(self.cpu + other.cpu, self.memory + other.memory)

    def __sub__(self, other: "ResourceAmount") -> "ResourceAmount":
        """Returns the difference, negative where `other` is larger."""
        return ResourceAmount(self.cpu - other.cpu, self.memory - other.memory)

    def fits_in(self, free: "ResourceAmount") -> bool:
        """Returns whether `free` covers this amount; a zero always fits, even where `free` is negative."""
        return (self.cpu <= free.cpu or not self.cpu) and (self.memory <= free.memory or not self.memory)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCapacity:
    """A node: allocatable resources, pod limit, and what decides which pods it accepts."""

    name: str
    allocatable: ResourceAmount
    max_pods: int = 110
    labels: Labels = field(default_factory=dict)
    taints: tuple[JsonObject, ...] = ()
    is_cordoned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PodRequirements:
    """What the scheduler considers in a pod; `only_node` is the one node that a DaemonSet's pod is for."""

    owner: str
    namespace: str
    request: ResourceAmount
    limit: ResourceAmount = ResourceAmount()
    labels: Labels = field(default_factory=dict)
    node_selector: Labels = field(default_factory=dict)
    node_affinity_terms: tuple[JsonObject, ...] = ()
    tolerations: tuple[JsonObject, ...] = ()
    topology_spread: tuple[JsonObject, ...] = ()
    priority: int = 0
    may_preempt: bool = True
    only_node: str = ""


QUOTA_KEYS = ("pods", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")


@dataclass(frozen=True, slots=True)
class RemainingQuota:
    """What pods of a namespace may still request: amounts by `requests.cpu`, `limits.memory`, `pods` etc."""

    namespace: str
    remaining: Mapping[str, int]

    def with_pod(self, pod: PodRequirements) -> "RemainingQuota":
        """Returns the quota after a pod was added."""
        return self._changed(pod, -1)

    def without_pod(self, pod: PodRequirements) -> "RemainingQuota":
        """Returns the quota after a pod was removed."""
        return self._changed(pod, 1)

    def shortage(self, pod: PodRequirements) -> str | None:
        """Returns the first quota key that does not cover a pod, None when all do."""
        if pod.namespace != self.namespace:
            return None
        usage = _quota_usage(pod)
        return next((key for key, rest in self.remaining.items() if usage[key] > max(rest, 0)), None)

    def _changed(self, pod: PodRequirements, sign: int) -> "RemainingQuota":
        if pod.namespace != self.namespace:
            return self
        usage = _quota_usage(pod)
        remaining = {key: rest + sign * usage[key] for key, rest in self.remaining.items()}
        return RemainingQuota(self.namespace, remaining)


def _quota_usage(pod: PodRequirements) -> Mapping[str, int]:
    amounts = (1, pod.request.cpu, pod.request.memory, pod.limit.cpu, pod.limit.memory)
    return dict(zip(QUOTA_KEYS, amounts, strict=True))
