"""Measures several tools in turns, so that other load on the machine affects all of them alike."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import TypeVar

T = TypeVar("T")
Tools = Mapping[str, Callable[[], object]]
COLUMNS = ("what", "tool", "median", "fastest", "slowest", "times ours")


def timed(run: Callable[[], T]) -> tuple[float, T]:
    """Returns the seconds that a run takes, and its result."""
    began = time.perf_counter()
    result = run()
    return time.perf_counter() - began, result


def rows(what: str, tools: Tools, *, rounds: int) -> list[tuple[str, ...]]:
    """Measures each tool `rounds` times after one unmeasured run; the first tool is ours."""
    for run in tools.values():
        run()
    seconds: dict[str, list[float]] = {tool: [] for tool in tools}
    for _ in range(rounds):
        for tool, run in tools.items():
            seconds[tool].append(timed(run)[0])
    ours = median(next(iter(seconds.values())))
    return [
        (
            what,
            tool,
            *(f"{1000 * value:.0f} ms" for value in (median(taken), min(taken), max(taken))),
            f"{median(taken) / ours:.2f}",
        )
        for tool, taken in seconds.items()
    ]
