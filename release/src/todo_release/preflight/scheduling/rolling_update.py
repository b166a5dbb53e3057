"""Plays the rolling updates of a release in a room: what is asked for at its peak, and whether it comes to an
end.

Pure. A new pod counts as ready as soon as it has a place, so a rollout that gets stuck here cannot finish in
a cluster either. All workloads of a release roll at the same time: one that finds no place waits until
another has let go of its old pods.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from todo_release.preflight.scheduling.simulator import Order, Room, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A workload whose pods a release replaces or adds to.

    `old` are the pods that go, with their nodes; `kept` is how many pods of the new shape are there already.
    """

    name: str
    shape: Shape
    desired: int
    surge: int = 0
    unavailable: int = 0
    kept: int = 0
    old: tuple[tuple[str, Shape], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """How it went. `peak` is the room with every pod of the first wave that found a place beside the old
    ones.

    `waiting` found none in that wave, `stuck` never; `victims` were pushed out.
    """

    peak: Room
    end: Room
    waiting: tuple[Change, ...]
    stuck: tuple[Change, ...]
    victims: tuple[Shape, ...]


@dataclass(slots=True)
class _State:
    """How far one workload is."""

    change: Change
    new: int
    old: list[tuple[str, Shape]] = field(default_factory=list)

    def let_go(self, room: Room) -> int:
        """Take away the old pods that are not needed for availability any more; how many those were."""
        change = self.change
        spare = len(self.old) + self.new - (change.desired - change.unavailable)
        going = [self.old.pop() for _ in range(max(0, min(len(self.old), spare)))]
        for node, pod in going:
            room.take(pod, node)
        return len(going)

    @property
    def wanted(self) -> int:
        """How many new pods its controller makes now."""
        change = self.change
        most = change.desired + change.surge - len(self.old) - self.new
        return max(0, min(change.desired - self.new, most))


def play(room: Room, changes: Sequence[Change], order: Order = "pack") -> Play:
    """Roll all workloads in a copy of the room until they are done or nothing moves any more."""
    room = room.copy()
    states = [_State(change, change.kept, list(change.old)) for change in changes]
    states.sort(key=_size, reverse=True)
    peak, first_waiting = None, list[Change]()
    victims: list[Shape] = []
    is_moving = True
    while is_moving:
        is_moving = sum(state.let_go(room) for state in states) > 0
        waiting = []
        for state in states:
            for _ in range(state.wanted):
                placement = room.place(state.change.shape, order)
                if placement is None:
                    waiting.append(state.change)
                    break
                state.new += 1
                victims += placement.victims
                is_moving = True
        if peak is None:
            peak, first_waiting = room.copy(), waiting
    stuck = tuple(state.change for state in states if state.new < state.change.desired)
    return Play(
        peak=peak or room, end=room, waiting=tuple(first_waiting), stuck=stuck, victims=tuple(victims)
    )


def _size(state: _State) -> tuple[int, int, int]:
    """The scheduler takes the important first, first-fit-decreasing the large ones."""
    shape = state.change.shape
    return shape.priority, shape.request.cpu, shape.request.memory
