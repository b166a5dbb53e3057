"""The cluster itself: found by name and region, created only when there is none, and never created again.

It is not a step like the others, because nothing can be asked or recorded while there is no cluster. Its
kubeconfig is a file of its own: the default kubeconfig and its current context are never touched.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from todo_cluster.bootstrap.access import write_private
from todo_cluster.config.provider import DigitalOceanCluster
from todo_cluster.digitalocean import DigitalOcean
from todo_cluster.errors import ProviderError
from todo_cluster.site import Access
from todo_release.adapters.kubernetes import kubeconfig
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.core.clock import Clock
from todo_release.errors import ClusterError

RUNNING = "running"
BAD_STATES = ("error", "invalid", "deleted", "deleting")
POLL_SECONDS = 10.0
Say = Callable[[str], None]


class ManagedCluster:
    """One cluster of DigitalOcean, as cluster.yaml describes it."""

    def __init__(
        self, settings: DigitalOceanCluster, api: DigitalOcean, folder: Path, *, say: Say, clock: Clock
    ) -> None:
        """`folder` is where its kubeconfig is kept; nothing is asked yet."""
        self._settings = settings
        self._api = api
        self._path = folder / f"{settings.name}.kubeconfig"
        self._say = say
        self._clock = clock

    def find(self) -> Access | None:
        """Returns the access to the cluster that exists; None when there is none. Says how it differs."""
        live = self._api.find_cluster(self._settings.name, self._settings.region)
        if live is None:
            version = self._version()
            self._say(
                f"• cluster {self._settings.name} in {self._settings.region}: to create, with {version}"
            )
            return None
        self._say(
            f"✓ cluster {live['name']} in {live['region']}: {live['version']}, {live['status']['state']}"
        )
        for line in self._notes(live):
            self._say(f"    {line}")
        for change in self._pool_changes(live):
            self._say(f"• node pool {self._settings.pool.name}: {change}")
        return self._access(live)

    def ensure(self) -> Access:
        """Creates the cluster or adopts it, waits until it runs, and returns the access to it.

        Raises:
            ProviderError: The API refused, the cluster does not run in time, or differs in what cannot be
                changed.
        """
        live = self._api.find_cluster(self._settings.name, self._settings.region)
        if live is None:
            live = self._api.create_cluster(self._creation(self._version()))
            self._say(f"✓ cluster {live['name']}: created, {live['version']}")
        live = self._wait(live)
        for line in self._notes(live):
            self._say(f"    {line}")
        if self._pool_changes(live):
            self._api.update_pool(live["id"], self._pool(live)["id"], self._pool_update(live))
            self._say(f"✓ node pool {self._settings.pool.name}: changed")
        return self._access(live)

    def _version(self) -> str:
        """Returns the offered version that is meant: it itself, or the newest of a minor version."""
        offered = self._api.versions()
        wanted = self._settings.version
        for slug in offered:
            if slug == wanted or slug.startswith(f"{wanted}."):
                return slug
        raise ProviderError(
            f"DigitalOcean does not offer Kubernetes {wanted}.",
            remedy=f"Set digitalocean.version in cluster.yaml to one of: {', '.join(offered)}.",
        )

    def _creation(self, version: str) -> dict[str, Any]:
        settings, pool = self._settings, self._settings.pool
        return {
            "name": settings.name,
            "region": settings.region,
            "version": version,
            "ha": settings.ha,
            "auto_upgrade": False,
            "surge_upgrade": True,
            "node_pools": [
                {
                    "name": pool.name,
                    "size": pool.size,
                    "count": pool.min_nodes,
                    "auto_scale": pool.max_nodes > pool.min_nodes,
                    "min_nodes": pool.min_nodes,
                    "max_nodes": pool.max_nodes,
                }
            ],
        }

    def _wait(self, live: Any) -> Any:
        deadline = self._clock.now() + self._settings.timeout_seconds
        while live["status"]["state"] != RUNNING:
            state, message = live["status"]["state"], live["status"].get("message", "")
            if state in BAD_STATES or self._clock.now() >= deadline:
                raise ProviderError(
                    f"The cluster {live['name']} does not run: it is {state}. {message}".strip(),
                    remedy="Look at it in DigitalOcean's control panel; then run `inv bootstrap` again.",
                )
            self._clock.sleep(POLL_SECONDS)
            live = self._api.cluster(live["id"])
        return live

    def _pool(self, live: Any) -> Any:
        pools = {pool["name"]: pool for pool in live["node_pools"]}
        pool = pools.get(self._settings.pool.name)
        if pool is None:
            raise ProviderError(
                f"The cluster {live['name']} has no node pool {self._settings.pool.name!r}, but: "
                f"{', '.join(sorted(pools))}.",
                remedy="Name the pool that it has under digitalocean.pool.name in cluster.yaml.",
            )
        if pool["size"] != self._settings.pool.size:
            raise ProviderError(
                f"The node pool {pool['name']} has the size {pool['size']}, not {self._settings.pool.size}, "
                "and no call changes that.",
                remedy="Correct digitalocean.pool.size; or add a pool of that size, drain the old nodes, "
                "delete the old pool, and name the new one in cluster.yaml.",
            )
        return pool

    def _pool_changes(self, live: Any) -> list[str]:
        """Returns which settings of the pool are to be changed."""
        pool, wanted = self._pool(live), self._pool_settings()
        return [
            f"{key} {pool.get(key)} -> {value}" for key, value in wanted.items() if pool.get(key) != value
        ]

    def _pool_settings(self) -> dict[str, Any]:
        pool = self._settings.pool
        if pool.max_nodes == pool.min_nodes:
            return {"auto_scale": False, "count": pool.min_nodes}
        return {"auto_scale": True, "min_nodes": pool.min_nodes, "max_nodes": pool.max_nodes}

    def _pool_update(self, live: Any) -> dict[str, Any]:
        """Returns the whole of the pool's settings: what an update leaves out is removed."""
        pool = self._pool(live)
        kept = {
            key: pool[key]
            for key in ("name", "count", "tags", "labels", "taints")
            if pool.get(key) is not None
        }
        return {**kept, **self._pool_settings()}

    def _notes(self, live: Any) -> Iterator[str]:
        """Yields differences that are told and not changed."""
        settings = self._settings
        if live["version"] != settings.version and not live["version"].startswith(f"{settings.version}."):
            yield (
                f"it runs {live['version']}, cluster.yaml says {settings.version}: upgrade it in "
                "DigitalOcean's control panel, or correct cluster.yaml"
            )
        if bool(live.get("ha")) != settings.ha:
            yield (
                f"its control plane has ha {bool(live.get('ha'))}, cluster.yaml says {settings.ha}: it is "
                "billed, and can be switched on but never off"
            )

    def _access(self, live: Any) -> Access:
        """Returns the access by a kubeconfig of its own, renewed when its token does not work any more."""
        if not self._is_usable():
            text = self._api.kubeconfig(live["id"], seconds=self._settings.kubeconfig_hours * 3600)
            write_private(self._path, text)
            self._say(f"✓ kubeconfig {self._path}: valid for {self._settings.kubeconfig_hours} hours")
        [context] = kubeconfig.contexts({"KUBECONFIG": str(self._path)})
        return Access(context, self._path)

    def _is_usable(self) -> bool:
        if not self._path.is_file():
            return False
        try:
            Cluster.connect(None, self._path).read("api/v1/namespaces/kube-system")
        except ClusterError:
            return False
        return True
