"""Measures the release of one changed service, and a rollback, with their deployments and verifications."""

from collections.abc import Sequence
from statistics import median

from bench.release import timing
from tests.system.engine_run import EngineRun
from tests.system.shop_clone import ShopClone

COLUMNS = ("what", "part", "median", "fastest", "slowest")
MEASURED = ("deploy:", "verify:")


def rows(shop: ShopClone, rounds: int) -> list[tuple[str, ...]]:
    """Measures the release of a new page of `web`, and then the rollback of staging to the page before.

    A deployment lasts from Helm's start until every workload is ready. A verification waits until Services
    send to new pods only, compares what runs with what was released, and runs the smoke checks.
    """
    shop.run("release", f"--version={shop.next_version()}")
    releases, rollbacks = [], []
    for number in range(rounds):
        shop.change("web", f"page {number} of the benchmark")
        releases.append(_measured(shop, "release", f"--version={shop.next_version()}"))
        rollbacks.append(_measured(shop, "rollback", "--env=staging"))
    return [
        *_rows("one changed service, to both environments", releases),
        *_rows("rollback of staging", rollbacks),
    ]


def _measured(shop: ShopClone, *command: str) -> dict[str, float]:
    """Returns the seconds of a command and of its deployments and verifications."""
    seconds, run = timing.timed(lambda: shop.run(*command))
    return {"in all": seconds, **_step_seconds(run)}


def _step_seconds(run: EngineRun) -> dict[str, float]:
    return {
        event["step"]: event["seconds"]
        for event in run.events
        if event["event"] == "step-ended" and event["step"].startswith(MEASURED)
    }


def _rows(what: str, runs: Sequence[dict[str, float]]) -> list[tuple[str, ...]]:
    return [
        (what, part, *(f"{value:.1f} s" for value in (median(taken), min(taken), max(taken))))
        for part in runs[0]
        for taken in ([run[part] for run in runs],)
    ]
