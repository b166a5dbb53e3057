"""Reads a cluster for the checks: every list once, all at the same time.

A list that may not be read is named with the reason, and a list of the whole cluster is then tried in the
environment's namespace alone. Secrets are reduced here, before anything else sees them.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from todo_release.adapters.helm.storage import deployed
from todo_release.adapters.kubernetes.client import RefusedError, namespaced
from todo_release.adapters.kubernetes.manifest import Manifest, parse
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.environments.environment import Access
from todo_release.errors import HelmError
from todo_release.preflight.secret_summary import Reducer
from todo_release.preflight.snapshot import INGRESSES, PODS, SECRETS, SERVICES, LiveCluster, Resource, Served

PARALLEL_READS = 10  # as many connections as the client keeps
METRICS = "apis/metrics.k8s.io/v1beta1"
# Since Kubernetes 1.27 the server lists all that it serves in two answers instead of one a group and version.
DISCOVERY = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    for version in ("v2", "v2beta1")
)
Items = Sequence[JsonObject]
ALSO_NAMESPACED = (PODS, SERVICES, INGRESSES)


def read(access: Access, resources: Iterable[Resource], words: Iterable[str]) -> LiveCluster:
    """One look at everything that `resources` names, at what the server serves, and at the namespace itself.

    Raises:
        ClusterError: the API server was not reachable or does not know who is asking.
    """
    reader = _Reader(access)
    wanted = sorted({*resources, SECRETS})
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        served_later = pool.submit(reader.served)
        version_later = pool.submit(reader.one, "version")
        namespace_later = pool.submit(reader.one, f"api/v1/namespaces/{access.settings.namespace}")
        metrics_later = pool.submit(reader.metrics)
        lists = dict(zip(wanted, pool.map(reader.list, wanted), strict=True))
        served, version = served_later.result(), version_later.result()
        namespace, metrics = namespace_later.result(), metrics_later.result()
    secrets = lists.pop(SECRETS)
    reducer = Reducer()
    running, manifest = _deployed(secrets or (), access.settings.release)
    return LiveCluster(
        lists={resource: found for resource, found in lists.items() if found is not None}
        | ({SECRETS: ()} if secrets is not None else {}),
        unread=reader.unread,
        partial=frozenset(reader.partial),
        secrets={facts.name: facts for facts in map(reducer.reduce, secrets or ())},
        words=reducer.words(words),
        served=served,
        version=_version(version),
        namespace=namespace,
        metrics=metrics,
        running=running,
        last_manifest=manifest,
    )


class _Reader:
    """Reads one list after the other, from several threads, and remembers what was refused."""

    def __init__(self, access: Access) -> None:
        self._cluster = access.cluster
        self._namespace = access.settings.namespace
        self.unread: dict[str, str] = {}
        self.partial: set[Resource] = set()

    def list(self, resource: Resource) -> Items | None:
        everywhere = f"{resource.root}/{resource.plural}"
        here = namespaced(resource.root, resource.plural, self._namespace)
        places = [everywhere] if resource.is_everywhere else [here]
        if resource in ALSO_NAMESPACED:
            places = [everywhere, here]
        for place in places:
            found: Items | None = self._try(str(resource), partial(self._cluster.items, place))
            if found is not None:
                self.unread.pop(str(resource), None)
                if place != places[0]:
                    self.partial.add(resource)
                return found
        return None

    def one(self, path: str) -> Any:
        return self._try(path, partial(self._cluster.read, path))

    def served(self) -> Sequence[Served]:
        answers = [
            self._try("api resources", partial(self._cluster.read, root, accept=DISCOVERY))
            for root in ("api", "apis")
        ]
        found = [one for answer in answers if answer for one in _served(answer)]
        if not found:
            self.unread.setdefault(
                "api resources", "the API server does not list what it serves (needs 1.27)"
            )
        return found

    def metrics(self) -> str:
        """What is wrong with the metrics API, empty when it answers."""
        try:
            found = self._cluster.read(METRICS)
        except RefusedError as refusal:
            if refusal.status == 403:
                self.unread["metrics"] = "the metrics API may not be asked (403)"
                return ""
            return f"does not answer ({refusal.status})"
        return "" if found else "is not installed"

    def _try(self, what: str, look: Callable[[], Any]) -> Any:
        try:
            return look()
        except RefusedError as refusal:
            if refusal.status == 401:
                raise
            why = "may not be read" if refusal.status == 403 else "could not be read"
            self.unread[what] = f"{what} {why} ({refusal.status})"
            return None


def _served(answer: JsonObject) -> Iterable[Served]:
    if answer.get("kind") != "APIGroupDiscoveryList":
        return
    for group in answer["items"]:
        name = group["metadata"].get("name", "")
        for version in group["versions"]:
            for resource in version.get("resources") or ():
                yield Served(
                    api_version=f"{name}/{version['version']}" if name else version["version"],
                    kind=resource["responseKind"]["kind"],
                    plural=resource["resource"],
                    is_namespaced=resource["scope"] == "Namespaced",
                )


def _version(answer: JsonObject | None) -> tuple[int, int] | None:
    if not answer:
        return None
    digits = [answer[part].rstrip("+") for part in ("major", "minor")]
    return int(digits[0]), int(digits[1])


def _deployed(secrets: Sequence[JsonObject], release: str) -> tuple[str | None, Manifest | None]:
    """The version that runs and what it gave to the cluster; a record that cannot be read counts as none."""
    try:
        found = deployed(secrets, release)
    except HelmError:
        found = None
    return (found[0].app_version, parse(found[1])) if found else (None, None)
