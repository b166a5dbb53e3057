"""Reads a cluster for the checks: every list once, all in parallel.

A list that may not be read is recorded with the reason, and one that spans namespaces is then read in the
environment's namespace alone. Secrets are summarised here, before any other code sees them.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from todo_release.adapters.helm.storage import find_deployed, has_revision
from todo_release.adapters.kubernetes import discovery
from todo_release.adapters.kubernetes.api_resources import (
    HTTP_ROUTES,
    INGRESSES,
    PODS,
    SECRETS,
    SERVICES,
    Resource,
)
from todo_release.adapters.kubernetes.client import ApiRefusedError
from todo_release.adapters.kubernetes.manifest import RenderedManifest, parse_manifest
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.environments.environment import EnvironmentAccess
from todo_release.errors import HelmError
from todo_release.preflight.secret_summary import SecretSummarizer
from todo_release.preflight.snapshot import LiveCluster

PARALLEL_READS = 10  # as many connections as the client keeps
METRICS = "apis/metrics.k8s.io/v1beta1"
Items = Sequence[JsonObject]
READ_ACROSS_NAMESPACES = (PODS, SERVICES, INGRESSES, HTTP_ROUTES)


def read(access: EnvironmentAccess, resources: Iterable[Resource], words: Iterable[str]) -> LiveCluster:
    """Reads all lists in `resources`, what the API server serves, and the namespace itself.

    Raises:
        ClusterError: the API server was not reachable, or does not accept the credentials.
    """
    reader = _Reader(access)
    wanted = sorted({*resources, SECRETS})
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        served_later = pool.submit(reader.served)
        version_later = pool.submit(reader.read_object, "version")
        namespace_later = pool.submit(reader.read_object, f"api/v1/namespaces/{access.settings.namespace}")
        metrics_later = pool.submit(reader.metrics_problem)
        lists = dict(zip(wanted, pool.map(reader.read_list, wanted), strict=True))
        served, version = served_later.result(), version_later.result()
        namespace, metrics_problem = namespace_later.result(), metrics_later.result()
    secrets = lists.pop(SECRETS)
    summarizer = SecretSummarizer()
    summaries = [summarizer.summarize(secret) for secret in secrets or ()]
    running, manifest = _deployed(secrets or (), access.settings.release)
    return LiveCluster(
        lists={resource: items for resource, items in lists.items() if items is not None}
        | ({SECRETS: ()} if secrets is not None else {}),
        unread=reader.unread,
        partial=frozenset(reader.partial),
        secrets={summary.name: summary for summary in summaries},
        word_fingerprints=summarizer.fingerprints(words),
        served=served,
        version=_version(version),
        namespace=namespace,
        metrics_problem=metrics_problem,
        is_installed=has_revision(secrets or (), access.settings.release),
        running=running,
        last_manifest=manifest,
    )


class _Reader:
    """Reads single lists and objects, from several threads, and records what the API server refused."""

    def __init__(self, access: EnvironmentAccess) -> None:
        self._cluster = access.cluster
        self._namespace = access.settings.namespace
        self.unread: dict[str, str] = {}
        self.partial: set[Resource] = set()

    def read_list(self, resource: Resource) -> Items | None:
        paths = [resource.path(self._namespace)]
        if resource in READ_ACROSS_NAMESPACES:
            paths.insert(0, resource.path())
        for path in paths:
            items: Items | None = self._try(str(resource), partial(self._cluster.items, path))
            if items is not None:
                self.unread.pop(str(resource), None)
                if path != paths[0]:
                    self.partial.add(resource)
                return items
        return None

    def read_object(self, path: str) -> Any:
        return self._try(path, partial(self._cluster.read, path))

    def served(self) -> Sequence[discovery.ServedResource]:
        answers = [
            self._try("api resources", partial(self._cluster.read, root, accept=discovery.ACCEPT))
            for root in discovery.ROOTS
        ]
        served = [resource for answer in answers if answer for resource in discovery.served_resources(answer)]
        if not served:
            self.unread.setdefault(
                "api resources", "the API server does not list what it serves (needs Kubernetes 1.27)"
            )
        return served

    def metrics_problem(self) -> str:
        """Returns what is wrong with the metrics API, empty when it answers."""
        try:
            answer = self._cluster.read(METRICS)
        except ApiRefusedError as refusal:
            if refusal.status == 403:
                self.unread["metrics"] = "the metrics API may not be read (403)"
                return ""
            return f"does not answer ({refusal.status})"
        return "" if answer else "is not installed"

    def _try(self, name: str, request: Callable[[], Any]) -> Any:
        try:
            return request()
        except ApiRefusedError as refusal:
            if refusal.status == 401:
                raise
            reason = "may not be read" if refusal.status == 403 else "could not be read"
            self.unread[name] = f"{name} {reason} ({refusal.status})"
            return None


def _version(answer: JsonObject | None) -> tuple[int, int] | None:
    if not answer:
        return None
    digits = [answer[part].rstrip("+") for part in ("major", "minor")]
    return int(digits[0]), int(digits[1])


def _deployed(secrets: Sequence[JsonObject], release: str) -> tuple[str | None, RenderedManifest | None]:
    """Returns the running version and the manifest Helm applied; None for both if a record is damaged."""
    try:
        revision_and_manifest = find_deployed(secrets, release)
    except HelmError:
        return None, None
    if revision_and_manifest is None:
        return None, None
    revision, manifest = revision_and_manifest
    return revision.app_version, parse_manifest(manifest)
