"""Measures how long it takes until a version that cannot run is rolled back, and what the tool reports."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import yaml

from bench.release import timing
from bench.release.helm_user import HelmUser
from tests.system.faulty_versions import FAULTY_VERSIONS, WITHOUT_PREFLIGHT
from tests.system.shop_clone import ShopClone

FAULTS = {
    "bad-image": "image digest that was never pushed",
    "missing-secret": "missing Secret",
    "full-node": "pod that fits on no node",
    "crash": "program that exits",
}
COLUMNS = ("fault", "inv release", "its cause", "helm --atomic", "its message", "times ours")
HELM_TIMEOUT = "300s"


def rows(shop: ShopClone) -> list[tuple[str, ...]]:
    """Measures each fault from the start of the command until the earlier version serves again.

    Preflight skips its checks. Helm only waits, so all its runs go on at the same time while the engine's
    runs follow each other.
    """
    shop.run("release", f"--version={shop.next_version()}", "--to=staging")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        users = [stack.enter_context(HelmUser.installed(shop, name, folder)) for name in FAULTS]
        pool = stack.enter_context(ThreadPoolExecutor(len(users)))
        faults = list(FAULTS.values())
        helm_runs = [pool.submit(_helm, user, fault) for user, fault in zip(users, faults, strict=True)]
        engine_results = [_engine(shop, fault) for fault in faults]
        helm_results = [run.result() for run in helm_runs]
    return [
        (fault, f"{seconds:.1f} s", cause, f"{helm_seconds:.1f} s", message, f"{helm_seconds / seconds:.1f}")
        for fault, (seconds, cause), (helm_seconds, message) in zip(
            faults, engine_results, helm_results, strict=True
        )
    ]


def _engine(shop: ShopClone, fault: str) -> tuple[float, str]:
    """Returns the seconds of the engine's release, and its cause with the exit code."""
    faulty = FAULTY_VERSIONS[fault]
    shop.configure("staging", faulty.values(shop))
    arguments = (f"--version={shop.next_version()}", "--to=staging", *WITHOUT_PREFLIGHT)
    seconds, run = timing.timed(lambda: shop.run("release", *arguments, exit_code=faulty.exit_code))
    cause = run.failure["problem"].rpartition("[")[2].rstrip("].")
    return seconds, f"{cause} ({run.exit_code()})"


def _helm(user: HelmUser, fault: str) -> tuple[float, str]:
    """Returns the seconds of Helm's upgrade, and its message."""
    values = user.values.with_suffix(".faulty.yaml")
    values.write_text(yaml.safe_dump(dict(FAULTY_VERSIONS[fault].values(user.shop))), encoding="utf-8")
    options = ("--atomic", f"--timeout={HELM_TIMEOUT}", f"--values={values}")
    seconds, result = timing.timed(lambda: user.helm("upgrade", *options))
    assert result.returncode != 0
    return seconds, result.stderr.strip().rpartition(": ")[2]
