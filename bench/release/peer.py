"""Somebody who releases the shop with Helm alone, in a namespace of their own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.system.shopkeeper import Shop


@dataclass(frozen=True)
class Peer:
    """A namespace in which the shop runs, with the images and values of the shop's staging."""

    shop: Shop
    namespace: str
    values: Path

    @classmethod
    @contextmanager
    def installed(cls, shop: Shop, name: str, folder: Path) -> Iterator[Self]:
        """Install what staging runs and wait until it is ready; the namespace goes afterwards."""
        peer = cls(shop, f"shop-{shop.name}-{name}", folder / f"{name}.yaml")
        current = shop.helm("staging", "get", "values", shop.namespace("staging"), "--output=yaml")
        peer.values.write_text(current, encoding="utf-8")
        shop.make_namespace(peer.namespace)
        try:
            done = peer.helm("install", "--wait", "--timeout=120s")
            assert done.returncode == 0, done.stderr
            yield peer
        finally:
            shop.kubectl("delete", "namespace", peer.namespace, "--wait=false")

    def helm(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Helm that takes release and chart, and return how it ended."""
        return subprocess.run(
            [
                "helm", command, self.namespace, "chart", f"--namespace={self.namespace}",
                f"--values={self.values}", f"--set=host={self.namespace}.test", *options,
            ],
            cwd=self.shop.path,
            env=dict(self.shop.environ),
            check=False,
            capture_output=True,
            text=True,
        )  # fmt: skip
