"""Simulates a release's rolling updates: peak resource requests, and whether they can finish.

Pure. A new pod counts as ready as soon as it is placed, so a rollout that gets stuck here cannot finish in a
cluster either. All workloads of a release roll at the same time: one whose pod fits nowhere waits until
another workload has removed old pods.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from todo_release.preflight.scheduling.cluster_capacity import ClusterCapacity, Scoring
from todo_release.preflight.scheduling.resources import PodRequirements


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadChange:
    """A workload whose pods a release replaces or adds to.

    `old_pods` are replaced, each with the name of its node; `up_to_date` is how many current pods already
    match the new template.
    """

    name: str
    pod: PodRequirements
    replicas: int
    max_surge: int = 0
    max_unavailable: int = 0
    up_to_date: int = 0
    old_pods: tuple[tuple[str, PodRequirements], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The result of a simulation.

    `peak` is the cluster after the first wave: every new pod of it that fits, beside the old ones. `waiting`
    are the workloads with a pod that did not fit in that wave, `stuck` those that never finish; `evicted` are
    the pods that were preempted.
    """

    peak: ClusterCapacity
    end: ClusterCapacity
    waiting: tuple[WorkloadChange, ...]
    stuck: tuple[WorkloadChange, ...]
    evicted: tuple[PodRequirements, ...]


@dataclass(slots=True)
class _SimulatedRollout:
    """How far the rolling update of one workload is."""

    change: WorkloadChange
    new_pods: int
    old_pods: list[tuple[str, PodRequirements]] = field(default_factory=list)

    def remove_old_pods(self, capacity: ClusterCapacity) -> int:
        """Removes the old pods that availability no longer needs; returns how many those were."""
        change = self.change
        spare = len(self.old_pods) + self.new_pods - (change.replicas - change.max_unavailable)
        removed = [self.old_pods.pop() for _ in range(max(0, min(len(self.old_pods), spare)))]
        for node, pod in removed:
            capacity.remove(pod, node)
        return len(removed)

    @property
    def pods_to_create(self) -> int:
        """Returns how many new pods the workload's controller creates now."""
        change = self.change
        allowed = change.replicas + change.max_surge - len(self.old_pods) - self.new_pods
        return max(0, min(change.replicas - self.new_pods, allowed))


def simulate(
    capacity: ClusterCapacity, changes: Sequence[WorkloadChange], scoring: Scoring = "pack"
) -> Simulation:
    """Simulates the rolling updates in a copy of the cluster until they finish or cannot continue."""
    capacity = capacity.copy()
    rollouts = [_SimulatedRollout(change, change.up_to_date, list(change.old_pods)) for change in changes]
    rollouts.sort(key=_scheduling_order, reverse=True)
    peak, first_waiting = None, list[WorkloadChange]()
    evicted: list[PodRequirements] = []
    is_changing = True
    while is_changing:
        is_changing = sum(rollout.remove_old_pods(capacity) for rollout in rollouts) > 0
        waiting = []
        for rollout in rollouts:
            for _ in range(rollout.pods_to_create):
                placement = capacity.place(rollout.change.pod, scoring)
                if placement is None:
                    waiting.append(rollout.change)
                    break
                rollout.new_pods += 1
                evicted += placement.evicted
                is_changing = True
        if peak is None:
            peak, first_waiting = capacity.copy(), waiting
    stuck = tuple(rollout.change for rollout in rollouts if rollout.new_pods < rollout.change.replicas)
    return Simulation(
        peak=peak or capacity,
        end=capacity,
        waiting=tuple(first_waiting),
        stuck=stuck,
        evicted=tuple(evicted),
    )


def simulate_scheduler(capacity: ClusterCapacity, changes: Sequence[WorkloadChange]) -> Simulation:
    """Simulates with the default scoring, and with packing only if the default one does not finish."""
    spread = simulate(capacity, changes, "spread")
    return simulate(capacity, changes, "pack") if spread.stuck else spread


def _scheduling_order(rollout: _SimulatedRollout) -> tuple[int, int, int]:
    """Returns a sort key: high priorities first, as the scheduler does; large pods first waste least."""
    pod = rollout.change.pod
    return pod.priority, pod.request.cpu, pod.request.memory
