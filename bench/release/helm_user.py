"""A user who releases the shop with Helm alone, in a separate namespace."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.system.shop_clone import ShopClone


@dataclass(frozen=True)
class HelmUser:
    """A namespace in which the shop runs with the images and values of its staging environment."""

    shop: ShopClone
    namespace: str
    values: Path

    @classmethod
    @contextmanager
    def installed(cls, shop: ShopClone, name: str, folder: Path) -> Iterator[Self]:
        """Installs what staging runs and waits until it is ready; deletes the namespace afterwards."""
        user = cls(shop, f"shop-{shop.name}-{name}", folder / f"{name}.yaml")
        user.take_values()
        shop.create_namespace(user.namespace)
        try:
            result = user.helm("install", "--wait", "--timeout=120s")
            assert result.returncode == 0, result.stderr
            yield user
        finally:
            shop.kubectl("delete", "namespace", user.namespace, "--wait=false")

    def take_values(self) -> None:
        """Takes over what staging runs by now, images included."""
        release = self.shop.namespace("staging")
        current = self.shop.helm("staging", "get", "values", release, "--output=yaml")
        self.values.write_text(current, encoding="utf-8")

    def upgrade(self) -> None:
        """Upgrades to the values that were taken over and waits until every workload is ready."""
        result = self.helm("upgrade", "--wait", "--timeout=120s")
        assert result.returncode == 0, result.stderr

    def roll_back(self) -> None:
        """Rolls back to the revision before and waits until every workload is ready."""
        result = self._run("rollback", self.namespace, "--wait", "--timeout=120s")
        assert result.returncode == 0, result.stderr

    def helm(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of Helm that takes release and chart, and returns the ended process."""
        values = (f"--values={self.values}", f"--set=host={self.namespace}.test")
        return self._run(command, self.namespace, "chart", *values, *options)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["helm", *arguments, f"--namespace={self.namespace}"],
            cwd=self.shop.path,
            env=dict(self.shop.environ),
            capture_output=True,
            text=True,
            check=False,
        )
