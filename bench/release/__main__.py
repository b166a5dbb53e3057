"""Compares the engine with other tools and prints tables: `python -m bench.release [PART ...]`.

The parts `unchanged`, `changed` and `failures` need the cluster of the system tests.
"""

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.release import (
    changed_releases,
    commands,
    content_ids,
    rollout_failures,
    timing,
    unchanged_releases,
)
from tests.system import running_cluster
from tests.system.shop_clone import ShopClone
from todo_release.core.tables import Table

ROUNDS = 7
PARTS = ("commands", "content-ids", "unchanged", "changed", "failures")


def main() -> None:
    """Measures the named parts, or all, and prints a table for each."""
    parser = argparse.ArgumentParser(prog="python -m bench.release", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="measured runs of each tool")
    options = parser.parse_args()
    parts = options.parts or PARTS
    if unknown := sorted(set(parts) - set(PARTS)):
        parser.error(f"there is no part {unknown[0]}; the parts are {', '.join(PARTS)}")
    for table in measure(parts, options.rounds):
        print("\n".join(table.lines()), flush=True)


def measure(parts: Iterable[str], rounds: int) -> Iterator[Table]:
    """Yields the table of each part as soon as it is measured."""
    if "commands" in parts:
        yield Table("Commands", timing.COLUMNS, tuple(commands.rows(rounds)))
    if "content-ids" in parts:
        yield Table("Content ids", timing.COLUMNS, tuple(content_ids.rows(rounds)))
    if "unchanged" in parts:
        with new_shop() as shop:
            rows = tuple(unchanged_releases.rows(shop, rounds))
            yield Table("A release without a change", timing.COLUMNS, rows)
    if "changed" in parts:
        with new_shop() as shop:
            rows = tuple(changed_releases.rows(shop, rounds))
            yield Table("A release of one changed service", changed_releases.COLUMNS, rows)
    if "failures" in parts:
        with new_shop() as shop:
            rows = tuple(rollout_failures.rows(shop))
            yield Table("A version that cannot run", rollout_failures.COLUMNS, rows)


@contextmanager
def new_shop() -> Iterator[ShopClone]:
    """Creates the shop of the system tests, never released."""
    cluster = running_cluster.start(Path(__file__).resolve().parents[2])
    with tempfile.TemporaryDirectory() as folder, ShopClone.created(Path(folder), "bench", cluster) as shop:
        yield shop


main()
