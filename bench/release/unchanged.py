"""How long a release takes that has nothing to do."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import yaml

from bench.release import turns
from bench.release.peer import Peer
from tests.system.shopkeeper import ENVIRONMENTS, Shop

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


def rows(shop: Shop, rounds: int) -> list[tuple[str, ...]]:
    """One environment and two: the finished release again, Helm alone, and chartpress before Helm.

    Ours proves that everything is as released and writes nothing; Helm writes a revision a time and looks at
    no pod; chartpress is spared its look into the registry, for which it needs Docker's own program.
    """
    version = shop.next_version()
    shop.run("release", f"--version={version}")
    found = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clone = shop.another_clone(folder / "clone")
        (clone.path / "chartpress.yaml").write_text(yaml.safe_dump(CHARTPRESS), encoding="utf-8")
        peers = [
            replace(stack.enter_context(Peer.installed(shop, f"peer-{name}", folder)), shop=clone)
            for name in ENVIRONMENTS
        ]
        for number, last in enumerate(ENVIRONMENTS, 1):
            contestants = {
                "inv release": _ours(shop, version, last),
                "helm upgrade": _helm(peers[:number]),
                "chartpress, helm upgrade": _chartpress(clone, peers[:number]),
            }
            found += turns.rows(f"no change, up to {last}", contestants, rounds=rounds)
    return found


def _ours(shop: Shop, version: str, last: str) -> Callable[[], None]:
    def run() -> None:
        assert shop.run("release", f"--version={version}", f"--to={last}").done == []

    return run


def _helm(peers: Sequence[Peer]) -> Callable[[], None]:
    def run() -> None:
        for peer in peers:
            done = peer.helm("upgrade")
            assert done.returncode == 0, done.stderr

    return run


def _chartpress(clone: Shop, peers: Sequence[Peer]) -> Callable[[], None]:
    program = Path(sys.executable).with_name("chartpress")
    command = [str(program), "--skip-build", f"--image-prefix={clone.registry}/"]

    def run() -> None:
        subprocess.run(command, cwd=clone.path, env=dict(clone.environ), check=True, capture_output=True)
        _helm(peers)()

    return run
