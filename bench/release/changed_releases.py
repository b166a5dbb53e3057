"""Measures the release of one changed service, and a rollback, beside what Helm alone needs for the same."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench.release import timing
from bench.release.helm_user import HelmUser
from tests.system.engine_run import EngineRun
from tests.system.shop_clone import ENVIRONMENTS, ShopClone

COLUMNS = ("what", "part", "median", "fastest", "slowest")
PARTS = ("build:", "deploy:", "verify:")
ALL, HELM = "in all", "helm --wait"


def rows(shop: ShopClone, rounds: int) -> list[tuple[str, ...]]:
    """Measures the release of a new page of `web`, and then the rollback of staging to the page before.

    A deployment lasts from Helm's start until every workload is ready. A verification waits until Services
    send to new pods only, compares what runs with what was released, and runs the smoke checks. Helm gets
    the images that the engine has just built, and only waits: that is what the cluster itself needs.
    """
    shop.run("release", f"--version={shop.next_version()}")
    releases, rollbacks = [], []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        users = [
            stack.enter_context(HelmUser.installed(shop, f"helm-{name}", folder)) for name in ENVIRONMENTS
        ]
        for number in range(rounds):
            shop.change("web", f"page {number} of the benchmark")
            release = _measured(shop, "release", f"--version={shop.next_version()}")
            releases.append(release | {HELM: _seconds(lambda: _upgrade(users))})
            rollback = _measured(shop, "rollback", "--env=staging")
            rollbacks.append(rollback | {HELM: _seconds(users[0].roll_back)})
    return [
        *_rows("one changed service, to both environments", releases),
        *_rows("rollback of staging", rollbacks),
    ]


def _upgrade(users: Sequence[HelmUser]) -> None:
    """Upgrades one namespace after the other."""
    for user in users:
        user.take_values()
        user.upgrade()


def _seconds(run: Callable[[], object]) -> float:
    return timing.timed(run)[0]


def _measured(shop: ShopClone, *command: str) -> dict[str, float]:
    """Returns the seconds of a command and of its builds, deployments and verifications."""
    seconds, run = timing.timed(lambda: shop.run(*command))
    return {ALL: seconds, **_step_seconds(run)}


def _step_seconds(run: EngineRun) -> dict[str, float]:
    return {
        event["step"]: event["seconds"]
        for event in run.events
        if event["event"] == "step-ended" and event["step"].startswith(PARTS) and not event["was_done"]
    }


def _rows(what: str, runs: Sequence[dict[str, float]]) -> list[tuple[str, ...]]:
    return [
        (what, part, *(f"{value:.1f} s" for value in (median(taken), min(taken), max(taken))))
        for part in runs[0]
        for taken in ([run[part] for run in runs],)
    ]
