"""Measures a release that has nothing to do."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import yaml

from bench.release import timing
from bench.release.helm_user import HelmUser
from tests.system.shop_clone import ENVIRONMENTS, ShopClone

CHARTPRESS = {
    "charts": [
        {
            "name": "chart",
            "images": {
                name: {
                    "contextPath": ".",
                    "dockerfilePath": f"{name}/Dockerfile",
                    "paths": ["server", name],
                    "valuesPath": f"{name}.image",
                }
                for name in ("web", "api")
            },
        }
    ]
}


def rows(shop: ShopClone, rounds: int) -> list[tuple[str, ...]]:
    """Measures a repeated release to one and to two environments, beside Helm and chartpress with Helm.

    The engine proves that everything is released and writes nothing. Helm writes a revision each time and
    checks no pod. chartpress does not ask the registry here, for which it needs the program docker.
    """
    version = shop.next_version()
    shop.run("release", f"--version={version}")
    measured = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clone = shop.another_clone(folder / "clone")
        (clone.path / "chartpress.yaml").write_text(yaml.safe_dump(CHARTPRESS), encoding="utf-8")
        users = [
            replace(stack.enter_context(HelmUser.installed(shop, f"helm-{name}", folder)), shop=clone)
            for name in ENVIRONMENTS
        ]
        for number, last in enumerate(ENVIRONMENTS, 1):
            tools = {
                "inv release": _engine(shop, version, last),
                "helm upgrade": _helm(users[:number]),
                "chartpress, helm upgrade": _chartpress(clone, users[:number]),
            }
            measured += timing.rows(f"no change, up to {last}", tools, rounds=rounds)
    return measured


def _engine(shop: ShopClone, version: str, last: str) -> Callable[[], None]:
    def run() -> None:
        assert shop.run("release", f"--version={version}", f"--to={last}").executed_steps == []

    return run


def _helm(users: Sequence[HelmUser]) -> Callable[[], None]:
    def run() -> None:
        for user in users:
            result = user.helm("upgrade")
            assert result.returncode == 0, result.stderr

    return run


def _chartpress(clone: ShopClone, users: Sequence[HelmUser]) -> Callable[[], None]:
    program = Path(sys.executable).with_name("chartpress")
    command = [str(program), "--skip-build", f"--image-prefix={clone.registry}/"]

    def run() -> None:
        subprocess.run(command, cwd=clone.path, env=dict(clone.environ), check=True, capture_output=True)
        _helm(users)()

    return run
