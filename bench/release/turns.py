"""Measures contestants in turns, so that whatever else the machine does meets all of them alike."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import TypeVar

T = TypeVar("T")
Contestants = Mapping[str, Callable[[], object]]
COLUMNS = ("what", "who", "median", "fastest", "slowest", "times ours")


def timed(run: Callable[[], T]) -> tuple[float, T]:
    """The seconds that a run takes, and its result."""
    began = time.perf_counter()
    result = run()
    return time.perf_counter() - began, result


def rows(what: str, contestants: Contestants, *, rounds: int) -> list[tuple[str, ...]]:
    """A row a contestant, the first of whom is ours; each runs once unmeasured and then `rounds` times."""
    for run in contestants.values():
        run()
    found: dict[str, list[float]] = {who: [] for who in contestants}
    for _ in range(rounds):
        for who, run in contestants.items():
            found[who].append(timed(run)[0])
    ours = median(next(iter(found.values())))
    return [
        (
            what,
            who,
            *(f"{1000 * one:.0f} ms" for one in (median(taken), min(taken), max(taken))),
            f"{median(taken) / ours:.2f}",
        )
        for who, taken in found.items()
    ]
