"""Prints how the engine compares with what teams use instead: `python -m bench.release [PART ...]`.

The parts `unchanged` and `doomed` need the stand-in cluster of the system tests.
"""

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.release import commands, doomed, trees, turns, unchanged
from tests.system import standin
from tests.system.shopkeeper import Shop
from todo_release.core.tables import Table

ROUNDS = 7
PARTS = ("commands", "trees", "unchanged", "doomed")


def main() -> None:
    """Measure the parts that are asked for, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench.release", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="measured runs a contestant")
    options = parser.parse_args()
    parts = options.parts or PARTS
    if unknown := sorted(set(parts) - set(PARTS)):
        parser.error(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    for table in measured(parts, options.rounds):
        print("\n".join(table.lines()), flush=True)


def measured(parts: Iterable[str], rounds: int) -> Iterator[Table]:
    """A table a part, as soon as it is measured."""
    if "commands" in parts:
        yield Table("Commands", turns.COLUMNS, tuple(commands.rows(rounds)))
    if "trees" in parts:
        yield Table("Identity", turns.COLUMNS, tuple(trees.rows(rounds)))
    if "unchanged" in parts:
        with shop() as opened:
            yield Table("A release without a change", turns.COLUMNS, tuple(unchanged.rows(opened, rounds)))
    if "doomed" in parts:
        with shop() as opened:
            yield Table("A version that cannot run", doomed.COLUMNS, tuple(doomed.rows(opened)))


@contextmanager
def shop() -> Iterator[Shop]:
    """The second application of the system tests, never released."""
    cluster = standin.start(Path(__file__).resolve().parents[2])
    with tempfile.TemporaryDirectory() as folder, Shop.opened(Path(folder), "bench", cluster) as opened:
        yield opened


main()
