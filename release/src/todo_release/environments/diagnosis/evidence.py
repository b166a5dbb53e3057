"""Saves the evidence of a failed rollout before a rollback removes it: events, conditions, logs, quotas.

Everything is fetched in parallel and within a few seconds. What does not arrive in time is left out and named
in the index, because evidence must never delay the rollback.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, parse_pod
from todo_release.core import release_folder
from todo_release.core.masking import mask_log
from todo_release.environments.diagnosis.tables import TABLES
from todo_release.environments.rollout.causes import RolloutFailure
from todo_release.environments.rollout.failure_detection import first_failure, possible_failures
from todo_release.errors import ClusterError

if TYPE_CHECKING:
    from todo_release.adapters.kubernetes.client import Cluster

BUDGET_SECONDS = 5.0
PARALLEL_READS = 8
LOG_LINES = 500
INDEX_FILE = "README.md"


class EvidenceSource(Protocol):
    """What evidence needs of a cluster (`todo_release.adapters.kubernetes.client.Cluster`)."""

    def items(self, path: str) -> list[Any]:
        """Returns the items of a list."""

    def log(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 200
    ) -> str:
        """Returns the last lines of a container's log."""


def collect_evidence(
    cluster: EvidenceSource,
    namespaces: Sequence[str],
    folder: Path,
    *,
    budget_seconds: float = BUDGET_SECONDS,
) -> Path:
    """Writes the evidence of namespaces into a folder and returns it; never raises a ClusterError.

    What cannot be written, as on a full disk, is left out too, because a rollback follows.
    Files: one table per kind, and logs/<pod>.<container>[.previous].log of pods that are not ready or have
    restarted, or of all pods when all are healthy. Those of the first namespace, which is the release's, lie
    in the folder itself, those of another in a folder of its name. Specifications are left out because they
    may hold environment values; logs and events are masked.
    """
    with suppress(OSError):
        _collect(cluster, namespaces, folder, budget_seconds)
    return folder


def _collect(cluster: EvidenceSource, namespaces: Sequence[str], folder: Path, budget_seconds: float) -> None:
    release_folder.create(folder)
    missing: list[str] = []
    pool = ThreadPoolExecutor(PARALLEL_READS)
    try:
        prefixes = dict(zip(namespaces, ("", *(f"{name}/" for name in namespaces[1:])), strict=True))
        reads = {
            f"{prefix}{name}": pool.submit(cluster.items, table.resource.path(namespace))
            for namespace, prefix in prefixes.items()
            for name, table in TABLES.items()
            if table.resource.is_namespaced or not prefix
        }
        lists = _within(reads, budget_seconds / 2, missing)
        for name, items in lists.items():
            _write(folder / f"{name}.txt", TABLES[name.rpartition("/")[2]].write(items))
        logs = {
            f"{prefix}logs/{pod}.{container}{'.previous' if previous else ''}.log": pool.submit(
                cluster.log, namespace, pod, container, previous=previous, lines=LOG_LINES
            )
            for namespace, prefix in prefixes.items()
            for pod, container in _containers_to_read(lists.get(f"{prefix}pods", []))
            for previous in (False, True)
        }
        for name, text in _within(logs, budget_seconds / 2, missing).items():
            if text:
                _write(folder / name, text)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    _write_index(folder, namespaces, missing)


def find_failure(snapshot: NamespaceSnapshot) -> RolloutFailure | None:
    """Returns the main reason why a namespace is not ready; None when all workloads of the snapshot are.

    Unlike a watch it gives no grace, because whoever asks has waited already.
    """
    nothing_before = NamespaceSnapshot({}, (), ())
    return first_failure(possible_failures(snapshot, nothing_before, is_applied=True))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(mask_log(text), encoding="utf-8")


def _within(reads: Mapping[str, Future[Any]], seconds: float, missing: list[str]) -> dict[str, Any]:
    """Returns the results that arrived in time; adds the names of the others to `missing` with the reason."""
    wait(reads.values(), timeout=seconds)
    results = {}
    for name, read in reads.items():
        if not read.done():
            missing.append(f"{name}: no answer in time")
            continue
        try:
            results[name] = read.result()
        except ClusterError as error:
            missing.append(f"{name}: {error.problem}")
    return results


def _containers_to_read(pods: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Yields pod and container of the logs to save: of unhealthy pods, or of all when none is unhealthy."""
    parsed = [parse_pod(pod) for pod in pods]
    unhealthy = [
        pod for pod in parsed if not pod.is_ready or any(container.restarts for container in pod.containers)
    ]
    for pod in unhealthy or parsed:
        for container in pod.containers:
            if container.state.phase != "waiting" or container.previous:
                yield pod.name, container.name


def _write_index(folder: Path, namespaces: Sequence[str], missing: Sequence[str]) -> None:
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    lines = [
        f"# Evidence of namespace {' and '.join(namespaces)}, {now}",
        "",
    ]
    lines += [f"- {path.relative_to(folder)}" for path in sorted(folder.rglob("*")) if path.is_file()]
    lines += ["", "Not available:", "", *(f"- {reason}" for reason in missing)] if missing else []
    (folder / INDEX_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


CollectEvidence = Callable[["Cluster", Sequence[str], Path], Path]
"""The type of `collect_evidence`: cluster, namespaces, folder."""
